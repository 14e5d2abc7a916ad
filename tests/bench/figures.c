/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "figures.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void samples_add(Samples *samples, double value) {
        if (samples->n >= samples->n_allocated) {
                samples->n_allocated = samples->n_allocated ? 2 * samples->n_allocated : 64;
                samples->values = reallocarray(samples->values, samples->n_allocated, sizeof *samples->values);
                if (!samples->values)
                        cannot_measure("out of memory");
        }
        samples->values[samples->n++] = value;
}

static int compare_values(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return x < y ? -1 : x > y;
}

double samples_median(Samples *samples) {
        size_t middle = samples->n / 2;

        if (samples->n == 0)
                cannot_measure("nothing was measured");
        qsort(samples->values, samples->n, sizeof *samples->values, compare_values);
        return samples->n % 2 ? samples->values[middle] : (samples->values[middle - 1] + samples->values[middle]) / 2;
}

void samples_clear(Samples *samples) {
        free(samples->values);
        *samples = (Samples) {};
}

double now_usec(void) {
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (double) time.tv_sec * 1e6 + (double) time.tv_nsec / 1e3;
}

void figures_title(const char *title, const char *unit, const char *ours, const char *other) {
        printf("\n%s [%s; build type %s]\n", title, unit, BENCH_BUILD_TYPE);
        printf("  %-44s %12s %14s %7s\n", "", ours, other ?: "", other ? "ratio" : "");
        fflush(stdout);
}

static void print_goal(double value, double goal, const char *sign) {
        printf("   goal ≤ %g%s: %s", goal, sign, value <= goal ? "met" : "MISSED");
}

void figure_print(const Figure *figure) {
        double ratio = figure->other > 0 ? figure->ours / figure->other : 0;

        printf("  %-44s %12.1f", figure->what, figure->ours);
        if (figure->other > 0)
                printf(" %14.1f %7.2f", figure->other, ratio);
        else
                printf(" %14s %7s", "", "");
        if (figure->ratio_goal > 0)
                print_goal(ratio, figure->ratio_goal, " ×");
        if (figure->goal)
                print_goal(figure->ours, *figure->goal, "");
        printf("\n");
        fflush(stdout);
}

void cannot_measure(const char *format, ...) {
        va_list ap;

        fflush(stdout);
        fprintf(stderr, "Not measured: ");
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fprintf(stderr, "\n");
        exit(EXIT_FAILURE);
}
