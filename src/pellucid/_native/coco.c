/* COCO's figures: ten IoUs and four ranges of area in one walk over each concept's boxes, best first. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "masks.h"

#define LEVELS 10
#define RANGES 4
#define BOTH (LEVELS * RANGES)
#define CAPS 3
#define RECALLS 101

typedef struct {
    const double *ious, *ranges, *recalls; /* LEVELS; RANGES x 2, both ends included; RECALLS */
    const int64_t *caps;                   /* CAPS, the last one the most boxes looked at */
} Settings;

typedef struct {
    int64_t inside[RANGES], changed[BOTH], hits[BOTH];
    double *precision; /* BOTH x annotations of the run */
    uint64_t *taken;   /* a bit a range and level, by annotation of the run */
    int64_t *near;     /* places of annotations that reach the least IoU */
    double *value;
} Walk;

static int within(double area, const double *range) { return area >= range[0] && area <= range[1]; }

/* The best free annotation: those that count come first; of equal IoU the one listed last. */
static int64_t choose(const Walk *walk, int64_t candidates, double least, int bit, const uint8_t *passed, const uint8_t *region,
                      int64_t begin)
{
    int64_t found = -1;
    for (int64_t one = 0; one < candidates; one++) {
        int64_t place = walk->near[one], own = place - begin;
        if (walk->value[one] < least || ((walk->taken[own] >> bit & 1) && !region[place]))
            continue;
        if (found < 0) {
            found = one;
            continue;
        }
        int was_passed = passed[walk->near[found] - begin], is_passed = passed[own];
        if (was_passed != is_passed ? was_passed : walk->value[one] >= walk->value[found])
            found = one;
    }
    return found;
}

/* Precision at 101 recalls: the best at that recall or beyond. */
static void interpolate(double *precision, int64_t hits, int64_t positives, const double *recalls, double *grid)
{
    for (int64_t hit = hits - 1; hit > 0; hit--)
        if (precision[hit - 1] < precision[hit])
            precision[hit - 1] = precision[hit];
    int64_t hit = 0;
    for (int64_t place = 0; place < RECALLS; place++) {
        while (hit < hits && (double)(hit + 1) / (double)positives < recalls[place])
            hit++;
        grid[place] = hit < hits ? precision[hit] : 0;
    }
}

/* Figures of the concepts from `first` up to `last` of `concepts`. Predictions lie by concept, in the order in which precision is
   counted; own_area: of predictions; predicted, annotated: masks, by place, NULL: boxes are compared; slot and seen: an entry an image, all -1 and 0. grid: RANGES x LEVELS x concepts x RECALLS; hits: RANGES x CAPS x LEVELS x
   concepts; positives: RANGES x concepts. 0, or -1 without memory. */
int coco_runs(int64_t first, int64_t last, int64_t concepts, const int64_t *start, const int32_t *image, const double *box,
              const double *own_area, const Annotations *annotations, const double *area, const Shapes *predicted,
              const Shapes *annotated, const Settings *settings, int32_t *slot, int32_t *seen, double *grid, int64_t *hits,
              int64_t *positives)
{
    const double tiny = 2.220446049250313e-16; /* numpy.spacing(1), which pycocotools adds */
    for (int64_t run = first; run < last; run++) {
        int64_t begin = annotations->start[run], end = annotations->start[run + 1], n = end - begin;
        if (!n)
            continue;
        Walk walk = {0};
        walk.precision = malloc((size_t)n * BOTH * sizeof *walk.precision);
        walk.taken = calloc((size_t)n, sizeof *walk.taken);
        walk.near = malloc((size_t)n * sizeof *walk.near);
        walk.value = malloc((size_t)n * sizeof *walk.value);
        uint8_t *passed = malloc((size_t)n * RANGES);
        Similarity similarity = {.predicted = predicted, .annotated = annotated, .box = box, .annotations = annotations};
        int failed = !walk.precision || !walk.taken || !walk.near || !walk.value || !passed;
        failed = failed || similarity_open(&similarity, start[run], start[run + 1], begin, end);
        for (int64_t own = 0; own < n && !failed; own++)
            for (int range = 0; range < RANGES; range++) {
                passed[range * n + own] = annotations->ignore[begin + own] || !within(area[begin + own], settings->ranges + 2 * range);
                positives[range * concepts + run] += !passed[range * n + own];
            }
        if (!failed)
            mark_images(annotations, run, slot, 0);
        for (int64_t prediction = start[run]; prediction < start[run + 1] && !failed; prediction++) {
            int64_t rank = seen[image[prediction]]++, candidates = 0;
            if (rank >= settings->caps[CAPS - 1])
                continue;
            int inside[RANGES];
            for (int range = 0; range < RANGES; range++)
                walk.inside[range] += inside[range] = within(own_area[prediction], settings->ranges + 2 * range);
            int64_t place = slot[image[prediction]];
            for (; place >= 0 && place < end && annotations->image[place] == image[prediction]; place++) {
                double value = similarity_of(&similarity, prediction, place, annotations->ignore[place]);
                if (value >= settings->ious[0]) {
                    walk.near[candidates] = place;
                    walk.value[candidates++] = value;
                }
            }
            for (int range = 0; range < RANGES && candidates; range++)
                for (int level = 0; level < LEVELS; level++) {
                    int bit = range * LEVELS + level;
                    double least = settings->ious[level] < 1 - 1e-10 ? settings->ious[level] : 1 - 1e-10;
                    int64_t found = choose(&walk, candidates, least, bit, passed + range * n, annotations->ignore, begin);
                    if (found < 0)
                        continue; /* an annotation taken at a lower IoU may be free at a higher one */
                    int64_t taken = walk.near[found] - begin;
                    walk.taken[taken] |= UINT64_C(1) << bit;
                    int counts = !passed[range * n + taken];
                    walk.changed[bit] += counts - inside[range];
                    if (!counts)
                        continue;
                    int64_t hit = walk.hits[bit]++;
                    walk.precision[bit * n + hit] = (double)(hit + 1) / ((double)(walk.inside[range] + walk.changed[bit]) + tiny);
                    for (int cap = 0; cap < CAPS; cap++)
                        if (rank < settings->caps[cap])
                            hits[((range * CAPS + cap) * LEVELS + level) * concepts + run]++;
                }
        }
        for (int bit = 0; bit < BOTH && !failed; bit++)
            if (positives[bit / LEVELS * concepts + run])
                interpolate(walk.precision + bit * n, walk.hits[bit], positives[bit / LEVELS * concepts + run], settings->recalls,
                            grid + (bit * concepts + run) * RECALLS);
        for (int64_t prediction = start[run]; prediction < start[run + 1]; prediction++)
            seen[image[prediction]] = 0;
        if (!failed)
            mark_images(annotations, run, slot, 1);
        similarity_free(&similarity);
        free(walk.precision);
        free(walk.taken);
        free(walk.near);
        free(walk.value);
        free(passed);
        if (failed)
            return -1;
    }
    return 0;
}
