/* Greedy matching at one IoU, run by run, best score first: images do not touch each other, so no sorting by image is needed. */

#include <stdint.h>
#include <stdlib.h>

#include "masks.h"

enum { IGNORED = 0, MATCHED = 1, WRONG = 2 };

/* Steps of the staircases: for each annotation a stack, the lowest score on top, IoU rising towards the bottom. */
typedef struct {
    double score, iou;
    int32_t under;
} Step;

typedef struct {
    Step *steps;
    int64_t used, room;
    int32_t unused;
} Steps;

static int push(Steps *all, int32_t *top, double score, double value)
{
    int32_t step = *top;
    if (step >= 0 && all->steps[step].score == score && all->steps[step].iou >= value)
        return 0;
    while (step >= 0 && (all->steps[step].iou < value || all->steps[step].score == score)) {
        int32_t under = all->steps[step].under;
        all->steps[step].under = all->unused;
        all->unused = step;
        step = under;
    }
    int32_t place = all->unused;
    if (place >= 0) {
        all->unused = all->steps[place].under;
    } else {
        if (all->used == all->room) {
            int64_t room = all->room * 2 + 1024;
            Step *more = room < INT32_MAX ? realloc(all->steps, (size_t)room * sizeof *more) : NULL;
            if (!more)
                return -1;
            all->steps = more;
            all->room = room;
        }
        place = (int32_t)all->used++;
    }
    all->steps[place] = (Step){score, value, step};
    *top = place;
    return 0;
}

void free_steps(Steps *all)
{
    if (all)
        free(all->steps);
    free(all);
}

/* Match the runs from `first` up to `last`. Predictions lie by run, best first; row is the annotation behind a place.
   slot: an entry an image, all -1, and so again at the end. state must be WRONG, partner -1, overlap NaN, answer -1 and top -1
   beforehand. predicted, annotated: masks, by place; NULL: boxes are compared. Returns the steps, to be placed and freed; NULL
   without memory. */
Steps *match_runs(int64_t first, int64_t last, const int64_t *start, const double *score, const int32_t *image, const double *box,
                  const Annotations *annotations, const Shapes *predicted, const Shapes *annotated, const int32_t *row, double least,
                  int32_t *slot, int8_t *state, int32_t *partner, double *overlap, int32_t *answer, int32_t *top)
{
    Steps *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->unused = -1;
    for (int64_t run = first; run < last; run++) {
        int64_t end = annotations->start[run + 1];
        if (end == annotations->start[run])
            continue;
        Similarity similarity = {.predicted = predicted, .annotated = annotated, .box = box, .annotations = annotations};
        if (similarity_open(&similarity, start[run], start[run + 1], annotations->start[run], end)) {
            free_steps(all);
            return NULL;
        }
        mark_images(annotations, run, slot, 0);
        for (int64_t prediction = start[run]; prediction < start[run + 1]; prediction++) {
            int64_t place = slot[image[prediction]], found = -1;
            double best = 0;
            if (place < 0)
                continue;
            for (; place < end && annotations->image[place] == image[prediction]; place++) {
                int region = annotations->ignore[place];
                double value = similarity_of(&similarity, prediction, place, region);
                if (!(value > 0))
                    continue;
                if (!region && push(all, &top[row[place]], score[prediction], value)) {
                    similarity_free(&similarity);
                    free_steps(all);
                    return NULL;
                }
                if (value < least || (!region && answer[row[place]] >= 0))
                    continue;
                int known = found >= 0, worse = known && annotations->ignore[found] && !region;
                int better = !known || worse || (annotations->ignore[found] == region && value >= best);
                if (better) {
                    found = place;
                    best = value;
                }
            }
            if (found < 0)
                continue;
            partner[prediction] = row[found];
            overlap[prediction] = best;
            state[prediction] = annotations->ignore[found] ? IGNORED : MATCHED;
            if (!annotations->ignore[found])
                answer[row[found]] = (int32_t)prediction;
        }
        mark_images(annotations, run, slot, 1);
        similarity_free(&similarity);
    }
    return all;
}

/* How many steps each annotation of these runs has. */
void count_steps(const Steps *all, int64_t begin, int64_t end, const int32_t *row, const int32_t *top, int64_t *count)
{
    for (int64_t place = begin; place < end; place++) {
        count[row[place]] = 0;
        for (int32_t step = top[row[place]]; step >= 0; step = all->steps[step].under)
            count[row[place]]++;
    }
}

/* Lay them out, score rising; begin_of: where each annotation's begin. */
void place_steps(const Steps *all, int64_t begin, int64_t end, const int32_t *row, const int32_t *top, const int64_t *begin_of,
                 double *score, double *value)
{
    for (int64_t place = begin; place < end; place++) {
        int64_t target = begin_of[row[place]];
        for (int32_t step = top[row[place]]; step >= 0; step = all->steps[step].under, target++) {
            score[target] = all->steps[step].score;
            value[target] = all->steps[step].iou;
        }
    }
}
