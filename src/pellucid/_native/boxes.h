/* Intersection over union, operation by operation as evaluation/boxes.py has it, so that the bits are equal. */

#ifndef PELLUCID_BOXES_H
#define PELLUCID_BOXES_H

#include <stdint.h>

static inline double iou(const double *predicted, const double *annotated, int ignored_region)
{
    double left = predicted[0] > annotated[0] ? predicted[0] : annotated[0];
    double top = predicted[1] > annotated[1] ? predicted[1] : annotated[1];
    double right = predicted[0] + predicted[2], other_right = annotated[0] + annotated[2];
    double bottom = predicted[1] + predicted[3], other_bottom = annotated[1] + annotated[3];
    double width = (right < other_right ? right : other_right) - left;
    double height = (bottom < other_bottom ? bottom : other_bottom) - top;
    if (!(width > 0) || !(height > 0))
        return 0;
    double overlap = width * height, area = predicted[2] * predicted[3];
    double all = ignored_region ? area : area + annotated[2] * annotated[3] - overlap;
    return all > 0 ? overlap / all : 0;
}

/* Annotations by run (split and concept), image and place in the input. start: places by run; row, image, box, ignore: by place. */
typedef struct {
    const int64_t *start;
    const int32_t *image;
    const double *box;
    const uint8_t *ignore;
} Annotations;

/* Say for each image of a run where its annotations begin; `sign` -1 takes it back. */
static inline void mark_images(const Annotations *annotations, int64_t run, int32_t *slot, int clear)
{
    for (int64_t place = annotations->start[run + 1] - 1; place >= annotations->start[run]; place--)
        slot[annotations->image[place]] = clear ? -1 : (int32_t)place;
}

#endif
