/* Orders of rows: by small whole numbers, and by falling score within runs. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int kernel_version(void) { return 3; }

/* Rows by key, ties as they come. key: n numbers from 0 to keys - 1; start: keys + 1 places; order: n rows. */
void order_by_key(const int32_t *key, int64_t n, int64_t keys, int64_t *start, int32_t *order)
{
    memset(start, 0, (size_t)(keys + 1) * sizeof *start);
    for (int64_t row = 0; row < n; row++)
        start[key[row] + 1]++;
    for (int64_t place = 0; place < keys; place++)
        start[place + 1] += start[place];
    for (int64_t row = 0; row < n; row++)
        order[start[key[row]]++] = (int32_t)row;
    memmove(start + 1, start, (size_t)keys * sizeof *start);
    start[0] = 0;
}

typedef struct {
    uint64_t fall; /* rises as the score falls */
    uint32_t image, row;
} Entry;

static uint64_t falling(double score)
{
    uint64_t bits;
    score += 0.0; /* -0.0 is 0.0 */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 63 ? bits : ~bits & ~(UINT64_C(1) << 63);
}

static int before(const Entry *one, const Entry *other, const int32_t *order)
{
    if (one->fall != other->fall)
        return one->fall < other->fall;
    if (one->image != other->image)
        return one->image < other->image;
    return order[one->row] < order[other->row];
}

static void merge_sort(Entry *entries, Entry *spare, int64_t n, const int32_t *order)
{
    if (n <= 12) {
        for (int64_t place = 1; place < n; place++) {
            Entry moved = entries[place];
            int64_t hole = place;
            for (; hole > 0 && before(&moved, &entries[hole - 1], order); hole--)
                entries[hole] = entries[hole - 1];
            entries[hole] = moved;
        }
        return;
    }
    int64_t half = n / 2, left = 0, right = half;
    merge_sort(entries, spare, half, order);
    merge_sort(entries + half, spare, n - half, order);
    if (!before(&entries[half], &entries[half - 1], order))
        return;
    memcpy(spare, entries, (size_t)half * sizeof *entries);
    for (int64_t place = 0; left < half; place++)
        entries[place] = right < n && before(&entries[right], &spare[left], order) ? entries[right++] : spare[left++];
}

/* Sort the rows of each run from `first` up to `last` by score falling, image rank, place in the input. 0, or -1 without memory. */
int sort_runs(int64_t first, int64_t last, const int64_t *start, const double *score, const int32_t *image, const int32_t *order,
              int32_t *rows)
{
    int64_t longest = 0;
    for (int64_t run = first; run < last; run++)
        if (start[run + 1] - start[run] > longest)
            longest = start[run + 1] - start[run];
    Entry *entries = malloc((size_t)(longest + longest / 2 + 1) * sizeof *entries);
    if (!entries)
        return -1;
    for (int64_t run = first; run < last; run++) {
        int32_t *own = rows + start[run];
        int64_t n = start[run + 1] - start[run];
        for (int64_t place = 0; place < n; place++)
            entries[place] = (Entry){falling(score[own[place]]), (uint32_t)image[own[place]], (uint32_t)own[place]};
        merge_sort(entries, entries + longest, n, order);
        for (int64_t place = 0; place < n; place++)
            own[place] = (int32_t)entries[place].row;
    }
    free(entries);
    return 0;
}
