/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Iothreads out of QEMU's answer: how they are numbered, and what is no such answer. */

#include <glib.h>
#include <string.h>

#include "guest/qemu/iothreads.h"

/* One text of JSON, in which ' stands for ". */
static JsonObject *parse(const char *text) {
        g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');
        JsonObject *object = NULL;

        g_assert_cmpint(json_parse(json, strlen(json), &object), ==, 0);
        return object;
}

#define RUNS(name, thread) "{'id':'" name "','thread-id':" thread ",'poll-max-ns':32768}"

static void iothreads_are_numbered_by_their_names(void) {
        static const struct { const char *answer, *wanted; } rows[] = {
                { "[]", "" },
                { "[" RUNS("iothread2", "20") "," RUNS("iothread1", "10") "]", "iothread2=2:20 iothread1=1:10 " },
                { "[" RUNS("iothread0", "10") "]", "iothread0=0:10 " },
                { "[" RUNS("disk", "10") "," RUNS("net", "20") "]", "disk=1:10 net=2:20 " },
                /* What has a number of its own keeps it, wherever it comes. */
                { "[" RUNS("a", "10") "," RUNS("b", "20") "," RUNS("iothread1", "30") "," RUNS("iothread3", "40") "," RUNS("c", "50") "]",
                  "a=2:10 b=4:20 iothread1=1:30 iothread3=3:40 c=5:50 " },
                { "[" RUNS("iothread01", "10") "," RUNS("iothread", "20") "," RUNS("iothread1x", "30") "," RUNS("Iothread7", "40") "," RUNS("iothread-1", "50") "]",
                  "iothread01=1:10 iothread=2:20 iothread1x=3:30 Iothread7=4:40 iothread-1=5:50 " },
                { "[" RUNS("iothread4294967294", "10") "," RUNS("iothread4294967295", "20") "," RUNS("iothread99999999999999999999999", "30") "]",
                  "iothread4294967294=4294967294:10 iothread4294967295=1:20 iothread99999999999999999999999=2:30 " },
                { "[" RUNS("iothread007", "10") "," RUNS("iothread7", "20") "]", "iothread007=1:10 iothread7=7:20 " },
                { "[" RUNS("", "2147483647") "]", "=1:2147483647 " },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                _cleanup_json_ JsonObject *answer = parse(rows[i].answer);
                g_autoptr(GString) text = g_string_new(NULL);
                Iothread *iothreads = NULL;
                size_t n = 0;

                g_test_message("row %zu", i);
                g_assert_cmpint(iothreads_parse(answer, NULL, &iothreads, &n), ==, 0);
                for (size_t j = 0; j < n; j++)
                        g_string_append_printf(text, "%s=%u:%u ", iothreads[j].name, iothreads[j].id, iothreads[j].thread);
                g_assert_cmpstr(text->str, ==, rows[i].wanted);
                iothreads_free(iothreads, n);
        }
}

static void what_is_no_answer_is_refused(void) {
        static const char *const rows[] = {
                "{}",
                "[1]",
                "[[]]",
                "[null]",
                "[{}]",
                "[{'id':'a'}]",
                "[{'thread-id':1}]",
                "[{'id':1,'thread-id':1}]",
                "[{'id':'a','thread-id':'1'}]",
                "[{'id':'a','thread-id':1.5}]",
                "[" RUNS("a", "0") "]",
                "[" RUNS("a", "-1") "]",
                "[" RUNS("a", "2147483648") "]",
                "[" RUNS("a", "99999999999999999999") "]",
                "[" RUNS("a", "1") "," RUNS("b", "0") "]",
                "[" RUNS("iothread1", "1") "," RUNS("a", "3") "," RUNS("iothread1", "2") "]",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                _cleanup_json_ JsonObject *answer = parse(rows[i]);
                _cleanup_error_ Error error = {};
                Iothread *iothreads = NULL;
                size_t n = 7;

                g_test_message("row %zu", i);
                g_assert_cmpint(iothreads_parse(answer, &error, &iothreads, &n), <, 0);
                g_assert_cmpint(error.code, ==, ERROR_BACKEND_FAILED);
                g_assert_null(iothreads);
                g_assert_cmpuint(n, ==, 7);
        }

        {
                Iothread *iothreads = NULL;
                size_t n = 7;

                g_assert_cmpint(iothreads_parse(NULL, NULL, &iothreads, &n), <, 0);
                g_assert_null(iothreads);
        }
}

static void more_than_there_can_be_are_refused(void) {
        g_autoptr(GString) text = g_string_new("[");
        _cleanup_json_ JsonObject *answer = NULL;
        _cleanup_error_ Error error = {};
        Iothread *iothreads = NULL;
        size_t n = 0;

        for (unsigned i = 0; i <= PROCESS_THREADS_MAX; i++)
                g_string_append_printf(text, "%s{'id':'a%u','thread-id':%u}", i > 0 ? "," : "", i, i + 1);
        g_string_append_c(text, ']');
        answer = parse(text->str);
        g_assert_cmpint(iothreads_parse(answer, &error, &iothreads, &n), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_BACKEND_FAILED);
        g_assert_null(iothreads);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/iothreads/iothreads-are-numbered-by-their-names", iothreads_are_numbered_by_their_names);
        g_test_add_func("/iothreads/what-is-no-answer-is-refused", what_is_no_answer_is_refused);
        g_test_add_func("/iothreads/more-than-there-can-be-are-refused", more_than_there_can_be_are_refused);
        return g_test_run();
}
