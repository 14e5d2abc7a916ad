/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Figures, and how they are printed: each beside what it is compared with, as a
 * ratio, and beside its goal. The machine that measures does other things too, so
 * what is compared is measured in turns, and the median of many is taken. A goal
 * that is missed is printed, and is no failure. */

#include <stddef.h>
#include <stdint.h>

typedef struct Samples {
        double *values;
        size_t n;
        size_t n_allocated;
} Samples;

void samples_add(Samples *samples, double value);
double samples_median(Samples *samples);
void samples_clear(Samples *samples);
#define _cleanup_samples_ __attribute__((cleanup(samples_clear)))

/* The clock of all measurements. */
double now_usec(void);

/* Opens a table. "other" is what stands in the column beside berthd's; NULL if
 * nothing is compared there. */
void figures_title(const char *title, const char *unit, const char *ours, const char *other);

typedef struct Figure {
        const char *what;
        double ours;
        double other;           /* 0: nothing */
        double ratio_goal;      /* ours / other shall be no more; 0: no such goal */
        const double *goal;     /* ours shall be no more; NULL: no such goal */
} Figure;

void figure_print(const Figure *figure);
#define FIGURE(...) figure_print(&(const Figure) { __VA_ARGS__ })
#define AT_MOST(value) (&(const double) { value })

/* Ends the program because something could not be measured. */
_Noreturn void cannot_measure(const char *format, ...) __attribute__((format(printf, 1, 2)));
