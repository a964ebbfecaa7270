/* Masks: boxes around them and areas, IoU of given pairs, and masks of polygons. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "masks.h"

#define SUBPIXELS 5

/* The box around each mask (left, top, width, height) and its area, zeros if it is empty; and the pixels of all its runs, -1 if
   they cannot be read. -1 without memory. */
int measure_masks(int64_t first, int64_t last, const uint8_t *text, const int64_t *start, const int32_t *height, double *box, double *area,
                  int64_t *pixels)
{
    int64_t longest = 1;
    for (int64_t row = first; row < last; row++)
        if (start[row + 1] - start[row] > longest)
            longest = start[row + 1] - start[row];
    int64_t *edges = malloc((size_t)longest * sizeof *edges);
    if (!edges)
        return -1;
    for (int64_t row = first; row < last; row++) {
        int64_t used = decode_edges(text, start[row], start[row + 1], edges), rows = height[row], total = 0;
        int64_t left = INT64_MAX, right = -1, top = INT64_MAX, bottom = -1;
        for (int64_t edge = 0; edge + 1 < used; edge += 2) {
            int64_t begin = edges[edge], end = edges[edge + 1];
            if (begin >= end || rows <= 0)
                continue;
            int64_t column = begin / rows, last_column = (end - 1) / rows;
            int64_t above = column == last_column ? begin % rows : 0, below = column == last_column ? (end - 1) % rows : rows - 1;
            left = column < left ? column : left;
            right = last_column > right ? last_column : right;
            top = above < top ? above : top;
            bottom = below > bottom ? below : bottom;
            total += end - begin;
        }
        double *own = box + 4 * row;
        own[0] = right < 0 ? 0 : (double)left;
        own[1] = right < 0 ? 0 : (double)top;
        own[2] = right < 0 ? 0 : (double)(right - left + 1);
        own[3] = right < 0 ? 0 : (double)(bottom - top + 1);
        area[row] = (double)total;
        pixels[row] = used ? edges[used - 1] : start[row + 1] > start[row] ? -1 : 0;
    }
    free(edges);
    return 0;
}

static double area_of(const int64_t *edges, int64_t used)
{
    int64_t total = 0;
    for (int64_t edge = 0; edge + 1 < used; edge += 2)
        total += edges[edge + 1] - edges[edge];
    return (double)total;
}

/* IoU of each pair from `first` up to `last`. -1 without memory. */
int mask_pairs(int64_t first, int64_t last, const uint8_t *text, const int64_t *start, const int32_t *height, const int64_t *row,
               const uint8_t *other_text, const int64_t *other_start, const int32_t *other_height, const int64_t *other_row,
               const uint8_t *ignored, double *value)
{
    int64_t longest = 1, other_longest = 1;
    for (int64_t pair = first; pair < last; pair++) {
        int64_t length = start[row[pair] + 1] - start[row[pair]];
        int64_t other_length = other_start[other_row[pair] + 1] - other_start[other_row[pair]];
        longest = length > longest ? length : longest;
        other_longest = other_length > other_longest ? other_length : other_longest;
    }
    int64_t *own = malloc((size_t)longest * sizeof *own), *other = malloc((size_t)other_longest * sizeof *other);
    int failed = !own || !other;
    int64_t decoded = -1, used = 0;
    for (int64_t pair = first; pair < last && !failed; pair++) {
        int64_t i = row[pair], j = other_row[pair];
        value[pair] = 0;
        if (height[i] != other_height[j])
            continue;
        if (decoded != i)
            used = decode_edges(text, start[i], start[i + 1], own);
        decoded = i;
        int64_t other_used = decode_edges(other_text, other_start[j], other_start[j + 1], other);
        value[pair] = mask_iou(shared_pixels(own, used, other, other_used), area_of(own, used), area_of(other, other_used), ignored[pair]);
    }
    free(own);
    free(other);
    return failed ? -1 : 0;
}

/* Copy the texts of some masks behind one another. new_start: where each of them goes. */
void gather_texts(int64_t first, int64_t last, const uint8_t *text, const int64_t *begin, const int64_t *new_start, uint8_t *target)
{
    for (int64_t place = first; place < last; place++)
        memcpy(target + new_start[place], text + begin[place], (size_t)(new_start[place + 1] - new_start[place]));
}

/* IoU of oriented boxes, pair by pair. */
void quad_pairs(int64_t n, const double *predicted, const double *annotated, const uint8_t *ignored, double *value)
{
    for (int64_t pair = 0; pair < n; pair++)
        value[pair] = quad_iou(predicted + 8 * pair, annotated + 8 * pair, ignored[pair]);
}

typedef struct {
    int64_t *items, used, room;
} Numbers;

static int append(Numbers *numbers, int64_t number)
{
    if (numbers->used == numbers->room) {
        int64_t room = numbers->room * 2 + 256;
        int64_t *items = realloc(numbers->items, (size_t)room * sizeof *items);
        if (!items)
            return -1;
        numbers->items = items;
        numbers->room = room;
    }
    numbers->items[numbers->used++] = number;
    return 0;
}

static int rising(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return a < b ? -1 : a > b;
}

static int64_t grid_point(double coordinate) { return (int64_t)(SUBPIXELS * coordinate + 0.5); }

static int cross(Numbers *changes, int64_t column, int64_t last_column, int64_t row, int64_t last_row, int64_t height, int64_t width)
{
    if (column == last_column)
        return 0;
    double x = ((double)(column < last_column ? column : last_column) + 0.5) / SUBPIXELS - 0.5;
    if (floor(x) != x || x < 0 || x > (double)(width - 1))
        return 0;
    double y = ((double)(row < last_row ? row : last_row) + 0.5) / SUBPIXELS - 0.5;
    y = ceil(y < 0 ? 0 : y > (double)height ? (double)height : y);
    return append(changes, (int64_t)x * height + (int64_t)y);
}

/* The pixels at which a polygon (n points x, y) begins or ends, as mask_runs.polygon_counts finds them. -1 without memory. */
static int polygon_changes(const double *points, int64_t n, int64_t height, int64_t width, Numbers *changes)
{
    int64_t last_column = 0, last_row = 0;
    int is_first = 1;
    for (int64_t point = 0; point < n; point++) {
        int64_t next = point + 1 < n ? point + 1 : 0;
        int64_t x = grid_point(points[2 * point]), y = grid_point(points[2 * point + 1]);
        int64_t next_x = grid_point(points[2 * next]), next_y = grid_point(points[2 * next + 1]);
        int64_t across = x < next_x ? next_x - x : x - next_x, down = y < next_y ? next_y - y : y - next_y;
        int flat = across >= down, reversed = flat ? x > next_x : y > next_y;
        int64_t begin_x = reversed ? next_x : x, begin_y = reversed ? next_y : y;
        int64_t end_x = reversed ? x : next_x, end_y = reversed ? y : next_y, length = flat ? across : down;
        double slope = !length ? 0 : (double)(flat ? end_y - begin_y : end_x - begin_x) / (double)length;
        for (int64_t step = 0; step <= length; step++) {
            int64_t t = reversed ? length - step : step;
            int64_t column = flat ? begin_x + t : (int64_t)((double)begin_x + slope * (double)t + 0.5);
            int64_t row = flat ? (int64_t)((double)begin_y + slope * (double)t + 0.5) : begin_y + t;
            if (!is_first && cross(changes, column, last_column, row, last_row, height, width))
                return -1;
            is_first = 0;
            last_column = column;
            last_row = row;
        }
    }
    return 0;
}

/* Keep the changes that do not cancel out; then even ones begin a run of the object, and odd ones end it. */
static void settle_changes(Numbers *changes, int64_t pixels)
{
    qsort(changes->items, (size_t)changes->used, sizeof *changes->items, rising);
    int64_t kept = 0;
    for (int64_t place = 0; place < changes->used; place++) {
        if (changes->items[place] >= pixels)
            break;
        if (kept && changes->items[kept - 1] == changes->items[place])
            kept--;
        else
            changes->items[kept++] = changes->items[place];
    }
    changes->used = kept;
    if (kept % 2)
        changes->items[changes->used++] = pixels; /* there is room: an end at or after the last pixel was dropped */
}

typedef struct {
    int64_t begin, end;
} Run;

static int by_begin(const void *one, const void *other)
{
    int64_t a = ((const Run *)one)->begin, b = ((const Run *)other)->begin;
    return a < b ? -1 : a > b;
}

static int64_t write_number(int64_t number, uint8_t *text)
{
    int64_t used = 0;
    int more = 1;
    while (more) {
        int digit = (int)(number & 0x1f);
        number >>= 5;
        more = digit & 0x10 ? number != -1 : number != 0;
        text[used++] = (uint8_t)((digit | (more ? 0x20 : 0)) + 48);
    }
    return used;
}

#define LONGEST_NUMBER 13

/* Write the mask of runs that are sorted by their first pixel as compressed run lengths. text: room for LONGEST_NUMBER bytes a
   count. Returns the bytes written. */
static int64_t write_runs(const Run *runs, int64_t n, int64_t pixels, uint8_t *text)
{
    int64_t used = 0, written = 0, counts[3] = {0, 0, 0}, position = 0;
    for (int64_t run = 0; run <= n;) {
        int64_t begin = run < n ? runs[run].begin : pixels, end = run < n ? runs[run].end : pixels;
        for (run++; run < n && runs[run].begin <= end; run++)
            end = runs[run].end > end ? runs[run].end : end;
        int64_t pair[2] = {begin - position, end - begin};
        if (position == pixels && begin == pixels)
            break;
        for (int part = 0; part < (begin < pixels ? 2 : 1); part++) {
            int64_t number = written > 2 ? pair[part] - counts[(written - 2) % 3] : pair[part];
            counts[written++ % 3] = pair[part];
            used += write_number(number, text + used);
        }
        position = end;
    }
    return used;
}

/* Masks of objects, each the union of some polygons. polygon_start: objects + 1; point_start: polygons + 1, in points; text: room
   bytes; start: objects + 1. Returns how many objects fit, or -1 without memory. */
int64_t rasterize_polygons(int64_t objects, const int64_t *polygon_start, const int64_t *point_start, const double *points,
                           const int32_t *height, const int32_t *width, uint8_t *text, int64_t room, int64_t *start)
{
    Numbers changes = {0};
    Run *runs = NULL;
    int64_t run_room = 0, object = 0, failed = 0;
    start[0] = 0;
    for (; object < objects && !failed; object++) {
        int64_t pixels = (int64_t)height[object] * width[object], n = 0;
        for (int64_t polygon = polygon_start[object]; polygon < polygon_start[object + 1] && !failed; polygon++) {
            changes.used = 0;
            int64_t first = point_start[polygon], count = point_start[polygon + 1] - first;
            failed = polygon_changes(points + 2 * first, count, height[object], width[object], &changes);
            failed = failed || append(&changes, pixels); /* room for an end that is dropped */
            if (failed)
                break;
            settle_changes(&changes, pixels);
            if (n + changes.used / 2 > run_room) {
                run_room = 2 * (n + changes.used / 2);
                Run *more = realloc(runs, (size_t)run_room * sizeof *more);
                failed = !more;
                if (failed)
                    break;
                runs = more;
            }
            for (int64_t edge = 0; edge + 1 < changes.used; edge += 2)
                runs[n++] = (Run){changes.items[edge], changes.items[edge + 1]};
        }
        if (failed || start[object] + (2 * n + 1) * LONGEST_NUMBER > room)
            break;
        if (n && polygon_start[object + 1] - polygon_start[object] > 1)
            qsort(runs, (size_t)n, sizeof *runs, by_begin);
        start[object + 1] = start[object] + write_runs(runs, n, pixels, text + start[object]);
    }
    free(changes.items);
    free(runs);
    return failed ? -1 : object;
}
