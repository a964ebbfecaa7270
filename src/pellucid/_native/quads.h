/* The area that two convex quadrilaterals share, operation by operation as evaluation/oriented_boxes.py has it. */

#ifndef PELLUCID_QUADS_H
#define PELLUCID_QUADS_H

#define MOST_CORNERS 16

typedef struct {
    double x, y;
} Corner;

/* Twice the signed area of the triangle a, b, p: positive where p lies inside of the edge from a to b. */
static inline double side_of(Corner a, Corner b, Corner p) { return (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x); }

static inline double polygon_area(const Corner *corners, int n)
{
    double twice = 0;
    for (int i = 1; i + 1 < n; i++)
        twice += side_of(corners[0], corners[i], corners[i + 1]);
    return twice / 2;
}

static inline double quad_area(const double *quad) { return polygon_area((const Corner *)quad, 4); }

static inline double shared_area(const double *quad, const double *other)
{
    Corner parts[2][MOST_CORNERS];
    int n = 4, from = 0;
    for (int i = 0; i < 4; i++)
        parts[0][i] = (Corner){quad[2 * i], quad[2 * i + 1]};
    for (int edge = 0; edge < 4 && n; edge++, from = 1 - from) {
        int next = edge < 3 ? edge + 1 : 0, kept = 0;
        Corner a = {other[2 * edge], other[2 * edge + 1]}, b = {other[2 * next], other[2 * next + 1]};
        Corner last = parts[from][n - 1];
        double last_side = side_of(a, b, last);
        for (int i = 0; i < n; i++) {
            Corner corner = parts[from][i];
            double side = side_of(a, b, corner);
            if ((side >= 0) != (last_side >= 0)) {
                double share = last_side / (last_side - side);
                parts[1 - from][kept++] = (Corner){last.x + share * (corner.x - last.x), last.y + share * (corner.y - last.y)};
            }
            if (side >= 0)
                parts[1 - from][kept++] = corner;
            last = corner;
            last_side = side;
        }
        n = kept;
    }
    return n < 3 ? 0 : polygon_area(parts[from], n);
}

static inline int quads_are_apart(const double *quad, const double *other)
{
    for (int axis = 0; axis < 2; axis++) {
        double low = quad[axis], high = low, other_low = other[axis], other_high = other_low;
        for (int i = 1; i < 4; i++) {
            double own = quad[2 * i + axis], their = other[2 * i + axis];
            low = own < low ? own : low;
            high = own > high ? own : high;
            other_low = their < other_low ? their : other_low;
            other_high = their > other_high ? their : other_high;
        }
        if (high <= other_low || other_high <= low)
            return 1;
    }
    return 0;
}

static inline double quad_iou(const double *predicted, const double *annotated, int ignored_region)
{
    if (quads_are_apart(predicted, annotated))
        return 0;
    double overlap = shared_area(predicted, annotated), area = quad_area(predicted);
    double all = ignored_region ? area : area + quad_area(annotated) - overlap;
    return overlap > 0 && all > 0 ? overlap / all : 0;
}

#endif
