/* Masks as runs: decoding of COCO's compressed run lengths, and the IoU of two masks without decoding to pixels. */

#ifndef PELLUCID_MASKS_H
#define PELLUCID_MASKS_H

#include <stdint.h>
#include <stdlib.h>

#include "boxes.h"
#include "quads.h"

/* Shapes of one side: masks, or oriented boxes, whose corners (8 numbers each) are then all that is set. start: where each mask begins
   in text; box: around each (4 numbers); area: in pixels. */
typedef struct {
    const uint8_t *text;
    const int64_t *start;
    const int32_t *height;
    const double *box, *area, *corners;
} Shapes;

/* No mask has more pixels. Longer run lengths are unreadable, so that no sum of them overflows. */
#define MOST_PIXELS ((int64_t)1 << 52)

/* Decode a mask into the pixels at which background and object change, counted down the columns. edges: room for as many numbers
   as the text has bytes. Returns how many there are: runs of the object lie between an even edge and the odd one after it. 0 if the
   run lengths are unreadable: the text ends within a number, or a number is negative or too large. */
static inline int64_t decode_edges(const uint8_t *text, int64_t begin, int64_t end, int64_t *edges)
{
    int64_t used = 0, position = 0, counts[3] = {0, 0, 0}; /* of the last three runs, in turn */
    if (begin < end && (text[end - 1] - 48) & 0x20)
        return 0;
    while (begin < end) {
        int64_t count = 0;
        int shift = 0, more = 1;
        while (more && begin < end) {
            int digit = text[begin++] - 48;
            if (shift > 55)
                return 0;
            count |= (int64_t)(digit & 0x1f) << shift;
            more = digit & 0x20;
            shift += 5;
            if (!more && (digit & 0x10))
                count -= (int64_t)1 << shift;
        }
        if (used > 2)
            count += counts[(used - 2) % 3];
        if (count < 0 || count > MOST_PIXELS || position + count > MOST_PIXELS)
            return 0;
        counts[used % 3] = count;
        edges[used++] = position += count;
    }
    return used;
}

/* The pixels that two masks share. */
static inline int64_t shared_pixels(const int64_t *own, int64_t own_edges, const int64_t *other, int64_t other_edges)
{
    int64_t shared = 0, i = 0, j = 0;
    while (i + 1 < own_edges && j + 1 < other_edges) {
        int64_t begin = own[i] > other[j] ? own[i] : other[j];
        int64_t end = own[i + 1] < other[j + 1] ? own[i + 1] : other[j + 1];
        if (begin < end)
            shared += end - begin;
        if (own[i + 1] < other[j + 1])
            i += 2;
        else
            j += 2;
    }
    return shared;
}

/* The similarity of predictions to the annotations of a run: IoU of boxes, or of masks or oriented boxes if both sides have them. */
typedef struct {
    const Shapes *predicted, *annotated; /* NULL: boxes */
    const double *box;                   /* of predictions */
    const Annotations *annotations;
    int64_t *own, own_edges, own_row;       /* the decoded mask of one prediction */
    int64_t *other, *other_start, begin;    /* those of the annotations from `begin` on */
} Similarity;

static inline void similarity_free(Similarity *similarity)
{
    free(similarity->own);
    free(similarity->other);
    free(similarity->other_start);
    similarity->own = similarity->other = similarity->other_start = NULL;
}

/* Prepare for the predictions `first` to `last` and the annotations `begin` to `end`. -1 without memory. */
static inline int similarity_open(Similarity *similarity, int64_t first, int64_t last, int64_t begin, int64_t end)
{
    const Shapes *predicted = similarity->predicted, *annotated = similarity->annotated;
    if (!predicted || !annotated || predicted->corners)
        return 0;
    int64_t longest = 1, total = annotated->start[end] - annotated->start[begin];
    for (int64_t row = first; row < last; row++)
        if (predicted->start[row + 1] - predicted->start[row] > longest)
            longest = predicted->start[row + 1] - predicted->start[row];
    similarity->own = malloc((size_t)longest * sizeof *similarity->own);
    similarity->other = malloc((size_t)(total + 1) * sizeof *similarity->other);
    similarity->other_start = malloc((size_t)(end - begin + 1) * sizeof *similarity->other_start);
    if (!similarity->own || !similarity->other || !similarity->other_start) {
        similarity_free(similarity);
        return -1;
    }
    similarity->own_row = -1;
    similarity->begin = begin;
    similarity->other_start[0] = 0;
    for (int64_t place = begin; place < end; place++)
        similarity->other_start[place - begin + 1] =
            similarity->other_start[place - begin] + decode_edges(annotated->text, annotated->start[place], annotated->start[place + 1],
                                                                  similarity->other + similarity->other_start[place - begin]);
    return 0;
}

static inline double mask_iou(int64_t shared, double own_area, double other_area, int ignored_region)
{
    double all = ignored_region ? own_area : own_area + other_area - (double)shared;
    return shared > 0 ? (double)shared / all : 0;
}

static inline double similarity_of(Similarity *similarity, int64_t prediction, int64_t place, int ignored_region)
{
    const Shapes *predicted = similarity->predicted, *annotated = similarity->annotated;
    if (!predicted || !annotated)
        return iou(similarity->box + 4 * prediction, similarity->annotations->box + 4 * place, ignored_region);
    if (predicted->corners)
        return quad_iou(predicted->corners + 8 * prediction, annotated->corners + 8 * place, ignored_region);
    if (predicted->height[prediction] != annotated->height[place] ||
        !(iou(predicted->box + 4 * prediction, annotated->box + 4 * place, ignored_region) > 0))
        return 0;
    if (similarity->own_row != prediction) {
        similarity->own_row = prediction;
        similarity->own_edges =
            decode_edges(predicted->text, predicted->start[prediction], predicted->start[prediction + 1], similarity->own);
    }
    int64_t from = similarity->other_start[place - similarity->begin], to = similarity->other_start[place - similarity->begin + 1];
    return mask_iou(shared_pixels(similarity->own, similarity->own_edges, similarity->other + from, to - from),
                    predicted->area[prediction], annotated->area[place], ignored_region);
}

#endif
