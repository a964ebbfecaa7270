/* COCO results (a JSON list of records) in their plain form. Whatever is not plain makes the reader give up, and a JSON library
   takes the file: nothing is guessed here. Numbers are rounded exactly as IEEE 754 wants it. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *at, *end; /* *end is '\0' */
} Text;

typedef struct {
    int64_t image, concept;
    double score, box[4];
    int32_t size[2];
} Row;

/* Where run lengths go. text: room for as many bytes as the part of the file has; used: bytes of the rows before; length: of the
   row being read. */
typedef struct {
    uint8_t *text;
    int64_t used, length;
} Counts;

static void blank(Text *text)
{
    while (*text->at == ' ' || *text->at == '\n' || *text->at == '\r' || *text->at == '\t')
        text->at++;
}

static int sign(Text *text, char wanted)
{
    blank(text);
    if (*text->at != wanted)
        return 0;
    text->at++;
    return 1;
}

static const uint64_t FIVES[] = {
    1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125, 6103515625, 30517578125,
    152587890625, 762939453125, 3814697265625, 19073486328125, 95367431640625, 476837158203125, 2384185791015625, 11920928955078125,
    59604644775390625, 298023223876953125, 1490116119384765625, 7450580596923828125};

/* digits / 10^places, rounded to nearest, ties to even: exact division in 128 bits. */
static double quotient(uint64_t digits, int places)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (digits <= UINT64_C(1) << 53 && places <= 22)
        return (double)digits / tens[places]; /* both exact, so one rounding */
    int shift = 64 + __builtin_clzll(digits);
    unsigned __int128 wide = (unsigned __int128)digits << shift, whole = wide / FIVES[places];
    int sticky = whole * FIVES[places] != wide;
    int bits = 128;
    uint64_t high = (uint64_t)(whole >> 64);
    bits = high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)whole);
    int drop = bits - 53;
    uint64_t kept = (uint64_t)(whole >> drop);
    unsigned __int128 rest = whole & (((unsigned __int128)1 << drop) - 1), half = (unsigned __int128)1 << (drop - 1);
    if (rest > half || (rest == half && (sticky || (kept & 1))))
        kept++;
    double value = (double)kept;
    int exponent = drop - shift - places;
    /* exponent lies between -150 and 20: a product of two exact powers of two, and a normal number */
    uint64_t power = (uint64_t)(1023 + exponent) << 52;
    double scale;
    memcpy(&scale, &power, sizeof scale);
    return value * scale;
}

static int digit(char sign) { return sign >= '0' && sign <= '9'; }

static int number(Text *text, double *value)
{
    blank(text);
    const char *begin = text->at;
    int minus = *text->at == '-';
    uint64_t digits = 0;
    int used = 0, places = 0, plain = 1;
    text->at += minus;
    if (!digit(*text->at) || (*text->at == '0' && digit(text->at[1])))
        return 0;
    for (; digit(*text->at); text->at++)
        if (used += digits != 0 || *text->at != '0', used <= 19)
            digits = digits * 10 + (uint64_t)(*text->at - '0');
        else
            plain = 0;
    if (*text->at == '.') {
        text->at++;
        if (!digit(*text->at))
            return 0;
        for (; digit(*text->at); text->at++)
            if (used += digits != 0 || *text->at != '0', used <= 19) {
                digits = digits * 10 + (uint64_t)(*text->at - '0');
                places++;
            } else {
                plain = 0;
            }
    }
    if (*text->at == 'e' || *text->at == 'E') {
        text->at++;
        int down = *text->at == '-', power = 0;
        text->at += *text->at == '-' || *text->at == '+';
        if (!digit(*text->at))
            return 0;
        for (; digit(*text->at); text->at++)
            power = power < 1000 ? power * 10 + (*text->at - '0') : power;
        places += down ? power : -power;
    }
    if (text->at == text->end)
        return 0; /* it may go on in the next part */
    if (!digits && plain) {
        *value = minus ? -0.0 : 0.0;
    } else if (plain && places >= 0 && places <= 27) {
        *value = quotient(digits, places);
        *value = minus ? -*value : *value;
    } else {
        char *after;
        *value = strtod(begin, &after);
        return after == text->at && *value - *value == 0;
    }
    return 1;
}

static int whole(Text *text, int64_t *value)
{
    blank(text);
    int minus = *text->at == '-', used = 0;
    int64_t digits = 0;
    text->at += minus;
    if (!digit(*text->at) || (*text->at == '0' && (digit(text->at[1]) || minus)))
        return 0;
    for (; digit(*text->at); text->at++, used++)
        digits = used < 18 ? digits * 10 + (*text->at - '0') : digits;
    *value = minus ? -digits : digits;
    return used <= 18 && *text->at != '.' && *text->at != 'e' && *text->at != 'E' && text->at != text->end;
}

/* A string without escapes; its text lies between *begin and text->at - 1. */
static int plain_string(Text *text, const char **begin)
{
    if (!sign(text, '"'))
        return 0;
    *begin = text->at;
    while (*text->at != '"') {
        if ((unsigned char)*text->at < ' ' || *text->at == '\\')
            return 0;
        text->at++;
    }
    text->at++;
    return 1;
}

static int skipped(Text *text, int depth)
{
    const char *begin;
    double value;
    blank(text);
    if (*text->at == '"')
        return plain_string(text, &begin);
    if (*text->at == '[' || *text->at == '{') {
        char closing = *text->at == '[' ? ']' : '}';
        text->at++;
        if (sign(text, closing))
            return 1;
        do {
            if (depth > 16 || (closing == '}' && !(plain_string(text, &begin) && sign(text, ':'))) || !skipped(text, depth + 1))
                return 0;
        } while (sign(text, ','));
        return sign(text, closing);
    }
    for (const char *const *word = (const char *const[]){"true", "false", "null", NULL}; *word; word++)
        if (!strncmp(text->at, *word, strlen(*word))) {
            text->at += strlen(*word);
            return 1;
        }
    return number(text, &value);
}

static int key_is(const char *begin, const Text *text, const char *key)
{
    size_t length = strlen(key);
    return (size_t)(text->at - 1 - begin) == length && !memcmp(begin, key, length);
}

/* Run lengths: printable ASCII, in which a backslash is the only character that JSON escapes. */
static int run_lengths(Text *text, Counts *counts)
{
    uint8_t *target = counts->text + counts->used;
    if (!sign(text, '"'))
        return 0;
    for (; *text->at != '"'; text->at++) {
        if (*text->at < '0' || *text->at > 'o')
            return 0;
        if (*text->at == '\\' && *++text->at != '\\')
            return 0;
        *target++ = (uint8_t)*text->at;
    }
    text->at++;
    counts->length = target - (counts->text + counts->used);
    return counts->length > 0;
}

/* A mask: {"size": [height, width], "counts": "..."}, in any order. */
static int encoded_mask(Text *text, Row *row, Counts *counts)
{
    const char *key;
    int seen = 0;
    if (!sign(text, '{'))
        return 0;
    do {
        if (!plain_string(text, &key))
            return 0;
        int which = key_is(key, text, "size") ? 1 : key_is(key, text, "counts") ? 2 : 0;
        if (!which || (seen & which) || !sign(text, ':'))
            return 0;
        seen |= which;
        if (which == 2 && !run_lengths(text, counts))
            return 0;
        for (int side = 0; which == 1 && side < 2; side++) {
            int64_t pixels;
            if (!sign(text, side ? ',' : '[') || !whole(text, &pixels) || pixels <= 0 || pixels > INT32_MAX)
                return 0;
            row->size[side] = (int32_t)pixels;
        }
        if (which == 1 && !sign(text, ']'))
            return 0;
    } while (sign(text, ','));
    return seen == 3 && sign(text, '}');
}

/* One record with each of the four keys once; with counts, the segmentation is one of them and the bbox may be absent. 1, or 0
   where it is cut short or not plain. */
static int record(Text *text, Row *row, Counts *counts)
{
    const char *key;
    int seen = 0;
    if (!sign(text, '{'))
        return 0;
    do {
        if (!plain_string(text, &key))
            return 0;
        int which = key_is(key, text, "image_id") ? 1 : key_is(key, text, "category_id") ? 2 : key_is(key, text, "score") ? 4
                  : key_is(key, text, "bbox")     ? 8 : counts && key_is(key, text, "segmentation") ? 16 : 0;
        if (key_is(key, text, "file_name") || key_is(key, text, "category_name") || (seen & which) || !sign(text, ':'))
            return 0;
        seen |= which;
        if (which == 1 && !whole(text, &row->image))
            return 0;
        if (which == 2 && !whole(text, &row->concept))
            return 0;
        if (which == 4 && !number(text, &row->score))
            return 0;
        if (which == 8) {
            for (int side = 0; side < 4; side++)
                if (!sign(text, side ? ',' : '[') || !number(text, &row->box[side]))
                    return 0;
            if (!sign(text, ']'))
                return 0;
        }
        if (which == 16 && !encoded_mask(text, row, counts))
            return 0;
        if (!which && !skipped(text, 0))
            return 0;
    } while (sign(text, ','));
    if (counts && !(seen & 8))
        row->box[0] = row->box[1] = row->box[2] = row->box[3] = NAN;
    return (counts ? (seen | 8) == 31 : seen == 15) && sign(text, '}');
}

enum { OPENING, FIRST, NEXT, AFTER, CLOSED };

/* Read the whole records of a part of the file; text[size] must be '\0'. Returns how many bytes are done with, or -1 where the
   text is not plain. *rows: read so far, in arrays of `room` rows; *stage: 0 in the beginning, 4 once the list is closed.
   counts: NULL, or room for as many bytes as the part has: then masks are read too, with the end of each row's run lengths
   (mask_end) and the size of its image (mask_size: height, width); box is NaN where there is none. */
int64_t read_results(const char *part, int64_t size, int64_t room, int64_t *image, int64_t *concept, double *score, double *box,
                     uint8_t *counts, int64_t *mask_end, int32_t *mask_size, int64_t *rows, int32_t *stage)
{
    Text text = {part, part + size};
    const char *done = part;
    for (;;) {
        blank(&text);
        if (text.at == text.end || *rows == room)
            return text.at - part;
        done = text.at;
        Row row;
        Counts masks = {counts, counts && *rows ? mask_end[*rows - 1] : 0, 0};
        if (*stage == OPENING && sign(&text, '[')) {
            *stage = FIRST;
        } else if ((*stage == FIRST || *stage == AFTER) && sign(&text, ']')) {
            *stage = CLOSED;
        } else if (*stage == AFTER && sign(&text, ',')) {
            *stage = NEXT;
        } else if ((*stage == FIRST || *stage == NEXT) && record(&text, &row, counts ? &masks : NULL)) {
            image[*rows] = row.image;
            concept[*rows] = row.concept;
            score[*rows] = row.score;
            memcpy(box + 4 * *rows, row.box, sizeof row.box);
            if (counts) {
                mask_end[*rows] = masks.used + masks.length;
                memcpy(mask_size + 2 * *rows, row.size, sizeof row.size);
            }
            ++*rows;
            *stage = AFTER;
        } else {
            return text.at >= text.end ? done - part : -1;
        }
    }
}
