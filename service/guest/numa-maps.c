/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One line of numa_maps is one mapping of a process:
 *
 *   7f0c5be00000 bind:0-1 file=/dev/shm/ram\040disk huge dirty=512 N0=300 N1=212 kernelpagesize_kB=2048
 *
 * an address, the policy that was asked for, then words in which the numbers of pages
 * on each cell come in ascending order, and the size of these pages. A mapping without
 * pages says no more than what it is. Names of files cannot make up words: the kernel
 * escapes white space and "=" in them; but they can be longer than any buffer of ours,
 * so that of a word only the beginning is kept.
 *
 * The text is some tens of MB for a process with many mappings. It is added up as it
 * comes, and what is kept grows with the cells, not with the text. */

#include "guest/memory.h"

#include <errno.h>
#include <string.h>

#include "lib/text.h"

#define PAGE_SIZE_WORD "kernelpagesize_kB="

void numa_maps_clear(NumaMaps *maps) {
        free(maps->cells);
        free(maps->line);
        *maps = (NumaMaps) {};
}

/* Inserts at "i" of a list. */
static int insert(CellMemory **cells, size_t *n, size_t *n_allocated, size_t i, CellMemory cell) {
        if (*n >= *n_allocated) {
                size_t allocate = *n_allocated > 0 ? 2 * *n_allocated : 8;
                CellMemory *more;

                more = reallocarray(*cells, allocate, sizeof *more);
                if (!more)
                        return -ENOMEM;
                *cells = more;
                *n_allocated = allocate;
        }
        memmove(*cells + i + 1, *cells + i, (*n - i) * sizeof **cells);
        (*cells)[i] = cell;
        (*n)++;
        return 0;
}

static int add_bytes(NumaMaps *maps, uint32_t cell, uint64_t bytes) {
        size_t i = 0;

        while (i < maps->n_cells && maps->cells[i].cell < cell)
                i++;
        if (i >= maps->n_cells || maps->cells[i].cell != cell)
                return insert(&maps->cells, &maps->n_cells, &maps->n_cells_allocated, i, (CellMemory) { cell, bytes });
        if (__builtin_add_overflow(maps->cells[i].bytes, bytes, &maps->cells[i].bytes))
                return -ERANGE;
        return 0;
}

/* "N1=212", after the N. */
static int take_pages(NumaMaps *maps, const char *p, const char *end) {
        uint64_t cell, pages;
        int r;

        r = text_take_number(&p, CPUSET_LIMIT - 1, &cell);
        if (r < 0)
                return r;
        if (*p++ != '=')
                return -EINVAL;
        r = text_take_number(&p, UINT64_MAX, &pages);
        if (r < 0)
                return r;
        if (p != end)
                return -EINVAL;
        if (maps->n_line > 0 && maps->line[maps->n_line - 1].cell >= cell)
                return -EINVAL;
        return insert(&maps->line, &maps->n_line, &maps->n_line_allocated, maps->n_line, (CellMemory) { (uint32_t) cell, pages });
}

static int take_page_size(NumaMaps *maps, const char *p, const char *end) {
        uint64_t size;
        int r;

        r = text_take_number(&p, UINT64_MAX / 1024, &size);
        if (r < 0)
                return r;
        if (p != end || size == 0 || maps->page_bytes > 0)
                return -EINVAL;
        maps->page_bytes = size * 1024;
        return 0;
}

static int end_word(NumaMaps *maps) {
        size_t length = maps->word_length;
        const char *end;

        maps->word_length = 0;
        if (length == 0)
                return -EINVAL;
        if (length >= sizeof maps->word)
                length = sizeof maps->word - 1;
        maps->word[length] = 0;
        end = maps->word + length;

        switch (maps->n_words++) {
        case 0: {
                size_t n = strspn(maps->word, "0123456789abcdef");

                return n == length && n <= 16 ? 0 : -EINVAL;
        }
        case 1:
                return 0;
        }
        if (*maps->word == 'N')
                return take_pages(maps, maps->word + 1, end);
        if (strncmp(maps->word, PAGE_SIZE_WORD, strlen(PAGE_SIZE_WORD)) == 0)
                return take_page_size(maps, maps->word + strlen(PAGE_SIZE_WORD), end);
        return 0;
}

static int end_line(NumaMaps *maps) {
        int r;

        if (maps->n_words < 2 || (maps->n_line > 0 && maps->page_bytes == 0))
                return -EINVAL;
        for (size_t i = 0; i < maps->n_line; i++) {
                uint64_t bytes;

                if (__builtin_mul_overflow(maps->line[i].bytes, maps->page_bytes, &bytes))
                        return -ERANGE;
                r = add_bytes(maps, maps->line[i].cell, bytes);
                if (r < 0)
                        return r;
        }
        maps->n_line = 0;
        maps->page_bytes = 0;
        maps->n_words = 0;
        return 0;
}

int numa_maps_feed(NumaMaps *maps, const char *piece, size_t length) {
        for (size_t i = 0; i < length; i++) {
                int r;

                if (piece[i] != ' ' && piece[i] != '\n') {
                        if (maps->word_length < sizeof maps->word)
                                maps->word[maps->word_length] = piece[i];
                        maps->word_length++;
                        continue;
                }
                r = end_word(maps);
                if (r >= 0 && piece[i] == '\n')
                        r = end_line(maps);
                if (r < 0)
                        return r;
        }
        return 0;
}

int numa_maps_finish(NumaMaps *maps, CellMemory **ret_cells, size_t *ret_n) {
        if (maps->n_words > 0 || maps->word_length > 0)
                return -EINVAL;

        *ret_cells = TAKE_PTR(maps->cells);
        *ret_n = maps->n_cells;
        numa_maps_clear(maps);
        return 0;
}

int numa_maps_parse(const char *text, size_t length, CellMemory **ret_cells, size_t *ret_n) {
        _cleanup_numa_maps_ NumaMaps maps = {};
        int r;

        r = numa_maps_feed(&maps, text, length);
        if (r < 0)
                return r;
        return numa_maps_finish(&maps, ret_cells, ret_n);
}
