/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is JSON and what is not, also where json-c is kinder than that; members of the
 * wrong type, and integers at their ends. */

#include <errno.h>
#include <glib.h>
#include <limits.h>
#include <string.h>

#include "lib/json.h"

#define TEXT(text) text, sizeof text - 1

typedef struct Row {
        const char *text;
        size_t length;
        const char *again;      /* as it is written again; NULL if it is refused */
} Row;

static const Row rows[] = {
        { TEXT("{}"), "{}" },
        { TEXT("[]"), "[]" },
        { TEXT(" \t\r\n{ } \t\r\n"), "{}" },
        { TEXT("{\"a\":1}"), "{\"a\":1}" },
        { TEXT("{\"a\":[true,false,null,-1,0,1.5,1e5,1E-2,\"\"]}"), "{\"a\":[true,false,null,-1,0,1.5,1e5,1E-2,\"\"]}" },
        { TEXT("{\"\":1}"), "{\"\":1}" },
        { TEXT("{\"a\":1,\"a\":2}"), "{\"a\":2}" },                     /* the last counts */
        { TEXT("{\"NaN'Infinity/*\":\"'NaN//\"}"), "{\"NaN'Infinity/*\":\"'NaN//\"}" },
        { TEXT("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"}"), "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\tA\"}" },
        { TEXT("{\"a\":\"\\\\u0000\"}"), "{\"a\":\"\\\\u0000\"}" },     /* a backslash and letters */
        { TEXT("{\"a\":\"\x7f\"}"), "{\"a\":\"\x7f\"}" },
        { TEXT("{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}"), "{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}" },
        { TEXT("{\"a\":\"\\ud83d\\ude00\"}"), "{\"a\":\"\xf0\x9f\x98\x80\"}" },
        { TEXT("{\"a\":\"\\ud83d\"}"), "{\"a\":\"\xef\xbf\xbd\"}" },    /* half of a pair */

        /* No document, or more than one. */
        { TEXT("") }, { TEXT(" ") }, { TEXT("\n") }, { TEXT("{") }, { TEXT("}") }, { TEXT("[") }, { TEXT("[1,") }, { TEXT("{\"a\"") },
        { TEXT("{\"a\":") }, { TEXT("{\"a\":\"") }, { TEXT("{\"a\":\"\\") }, { TEXT("{\"a\":\"\\u12") }, { TEXT("{}{}") },
        { TEXT("{} {}") }, { TEXT("{}x") }, { TEXT("{},") }, { TEXT("{]") }, { TEXT("[}") },
        /* Neither an object nor an array. */
        { TEXT("null") }, { TEXT("null ") }, { TEXT("true ") }, { TEXT("1") }, { TEXT("12 ") }, { TEXT("\"a\"") },
        /* Nearly. */
        { TEXT("{\"a\":1,}") }, { TEXT("[1,]") }, { TEXT("[1 2]") }, { TEXT("{\"a\" 1}") }, { TEXT("{1:2}") }, { TEXT("{a:1}") },
        { TEXT("{'a':1}") }, { TEXT("{\"a\":'b'}") }, { TEXT("{\"a\":NaN}") }, { TEXT("{\"a\":nan}") }, { TEXT("{\"a\":Infinity}") },
        { TEXT("{\"a\":-Infinity}") }, { TEXT("{\"a\":TRUE}") }, { TEXT("{\"a\":nul}") }, { TEXT("{\"a\":01}") }, { TEXT("{\"a\":+1}") },
        { TEXT("{\"a\":.5}") }, { TEXT("{\"a\":0x10}") }, { TEXT("{\"a\":--1}") }, { TEXT("{\"a\":-}") }, { TEXT("{\"a\":1e}") },
        { TEXT("{/*a*/}") }, { TEXT("{}//a") }, { TEXT("#a\n{}") }, { TEXT("{\"a\":\"\\x\"}") }, { TEXT("{\"a\":\"\\u12g4\"}") },
        /* NUL and its like. */
        { TEXT("\0") }, { TEXT("{}\0") }, { TEXT("\0{}") }, { TEXT("{\0}") }, { TEXT("{\"a\":\"\0\"}") }, { TEXT("{\"a\0\":1}") },
        { TEXT("{\"a\":\"\\u0000\"}") }, { TEXT("{\"a\\u0000b\":1}") }, { TEXT("{\"a\":\"\x01\"}") }, { TEXT("{\"a\":\"\t\"}") },
        { TEXT("{\"a\":\"\n\"}") }, { TEXT("\x0b{}") }, { TEXT("{}\x1f") },
        /* No UTF-8. */
        { TEXT("\xff") }, { TEXT("\xff{}") }, { TEXT("{}\xff") }, { TEXT("\xef\xbb\xbf{}") }, { TEXT("{\"\xff\":1}") }, { TEXT("{\"a\":\"\x80\"}") },
        { TEXT("{\"a\":\"\xc3\"}") }, { TEXT("{\"a\":\"\xe2\x82\"}") }, { TEXT("{\"a\":\"\xf0\x9f\x98\"}") }, { TEXT("{\"a\":\"\xc3") },
        { TEXT("{\"a\":\"\xe2\x82") }, { TEXT("{\"a\":\"\xc0\x80\"}") }, { TEXT("{\"a\":\"\xc1\xbf\"}") }, { TEXT("{\"a\":\"\xe0\x80\x80\"}") },
        { TEXT("{\"a\":\"\xf0\x80\x80\x80\"}") }, { TEXT("{\"a\":\"\xed\xa0\x80\"}") }, { TEXT("{\"a\":\"\xf4\x90\x80\x80\"}") },
        { TEXT("{\"a\":\"\xf5\x80\x80\x80\"}") },
};

/* In memory of just that length: nothing behind it is looked at. */
static int parse(const char *text, size_t length, JsonObject **ret) {
        g_autofree char *copy = g_memdup2(text, length);

        return json_parse(copy, length, ret);
}

static void a_document_is_strict_json(void) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_json_ JsonObject *object = NULL;

                g_test_message("row %zu", i);
                if (!rows[i].again) {
                        JsonObject *untouched = (JsonObject *) &object;

                        g_assert_cmpint(parse(rows[i].text, rows[i].length, &untouched), ==, -EINVAL);
                        g_assert_true(untouched == (JsonObject *) &object);
                        continue;
                }
                g_assert_cmpint(parse(rows[i].text, rows[i].length, &object), ==, 0);
                g_assert_cmpstr(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), ==, rows[i].again);
        }
        g_assert_cmpint(json_parse("{}", (size_t) INT_MAX + 1, &(JsonObject *) { NULL }), ==, -EINVAL);
}

/* No beginning of a document is one. */
static void a_document_may_end_anywhere(void) {
        static const char text[] = "{\"a\":[1.5e3,\"\\u00e4\xe2\x82\xac\",{\"b\":null}],\"c\":true}";

        for (size_t length = 0; length < sizeof text - 1; length++) {
                JsonObject *object = NULL;

                g_test_message("%zu bytes", length);
                g_assert_cmpint(parse(text, length, &object), ==, -EINVAL);
        }
}

/* Any byte anywhere: no crash, and what is taken is an object or an array. */
static void a_byte_may_be_wrong(void) {
        char text[] = "{\"a\":[1.5e3,\"\\u00e4\xe2\x82\xac\"],\"c\":true}";

        for (size_t i = 0; i < sizeof text - 1; i++) {
                char right = text[i];

                for (int byte = 0; byte < 256; byte++) {
                        _cleanup_json_ JsonObject *object = NULL;

                        text[i] = (char) byte;
                        if (parse(text, sizeof text - 1, &object) >= 0)
                                g_assert_true(json_object_is_type(object, json_type_object) || json_object_is_type(object, json_type_array));
                }
                text[i] = right;
        }
}

static int parse_nested(const char *open, const char *inner, const char *close, unsigned depth) {
        g_autoptr(GString) text = g_string_new(NULL);
        _cleanup_json_ JsonObject *object = NULL;

        for (unsigned i = 0; i < depth; i++)
                g_string_append(text, open);
        g_string_append(text, inner);
        for (unsigned i = 0; i < depth; i++)
                g_string_append(text, close);
        return parse(text->str, text->len, &object);
}

static void a_document_is_not_deep(void) {
        /* What stands in the innermost is a level too. */
        g_assert_cmpint(parse_nested("[", "", "]", JSON_DEPTH_MAX), ==, 0);
        g_assert_cmpint(parse_nested("[", "1", "]", JSON_DEPTH_MAX - 1), ==, 0);
        g_assert_cmpint(parse_nested("{\"a\":", "{}", "}", JSON_DEPTH_MAX - 1), ==, 0);
        g_assert_cmpint(parse_nested("[", "", "]", JSON_DEPTH_MAX + 1), ==, -EINVAL);
        g_assert_cmpint(parse_nested("[", "1", "]", JSON_DEPTH_MAX), ==, -EINVAL);
        g_assert_cmpint(parse_nested("{\"a\":", "{}", "}", JSON_DEPTH_MAX), ==, -EINVAL);
        g_assert_cmpint(parse_nested("[", "1", "]", 100000), ==, -EINVAL);
        g_assert_cmpint(parse_nested("[", "", "", 100000), ==, -EINVAL);
}

static JsonObject *read_text(const char *text) {
        JsonObject *object = NULL;

        g_assert_cmpint(json_parse(text, strlen(text), &object), ==, 0);
        return object;
}

static void a_member_has_its_type_or_is_not_there(void) {
        _cleanup_json_ JsonObject *object = read_text("{\"string\":\"s\",\"object\":{},\"array\":[],\"bool\":true,\"int\":7,\"double\":7.0,\"null\":null}");
        static const char *const keys[] = { "string", "object", "array", "bool", "int", "double", "null" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                JsonObject *value = object;
                const char *string = "untouched";
                bool truth = false;
                int64_t number = -5;
                uint32_t small = 5;

                g_test_message("%s", keys[i]);
                g_assert_cmpint(json_get_string(object, keys[i], &string), ==, i == 0 ? 0 : -EINVAL);
                g_assert_cmpstr(string, ==, i == 0 ? "s" : "untouched");
                g_assert_cmpint(json_get_object(object, keys[i], &value), ==, i == 1 ? 0 : -EINVAL);
                g_assert_true((value == object) == (i != 1));
                value = object;
                g_assert_cmpint(json_get_array(object, keys[i], &value), ==, i == 2 ? 0 : -EINVAL);
                g_assert_true((value == object) == (i != 2));
                g_assert_cmpint(json_get_bool(object, keys[i], &truth), ==, i == 3 ? 0 : -EINVAL);
                g_assert_cmpint(truth, ==, i == 3);
                g_assert_cmpint(json_get_i64(object, keys[i], &number), ==, i == 4 ? 0 : -EINVAL);
                g_assert_cmpint(number, ==, i == 4 ? 7 : -5);
                g_assert_cmpint(json_get_u32(object, keys[i], &small), ==, i == 4 ? 0 : -EINVAL);
                g_assert_cmpuint(small, ==, i == 4 ? 7 : 5);
        }
}

static void a_missing_member_is_not_there(void) {
        _cleanup_json_ JsonObject *object = read_text("{\"a\":1}"), *array = read_text("[1]");
        JsonObject *const holders[] = { object, array, NULL };

        for (size_t i = 0; i < ELEMENTSOF(holders); i++) {
                JsonObject *value;
                const char *string;
                bool truth;
                int64_t number;
                uint32_t small;

                g_assert_cmpint(json_get_string(holders[i], "b", &string), ==, -ENODATA);
                g_assert_cmpint(json_get_object(holders[i], "b", &value), ==, -ENODATA);
                g_assert_cmpint(json_get_array(holders[i], "b", &value), ==, -ENODATA);
                g_assert_cmpint(json_get_bool(holders[i], "b", &truth), ==, -ENODATA);
                g_assert_cmpint(json_get_i64(holders[i], "b", &number), ==, -ENODATA);
                g_assert_cmpint(json_get_u32(holders[i], "b", &small), ==, -ENODATA);
        }
}

static const struct { const char *text; int64_t value; bool i64, u32; } numbers[] = {
        { "0", 0, true, true },
        { "-0", 0, true, true },
        { "4294967295", UINT32_MAX, true, true },
        { "4294967296", INT64_C(4294967296), true, false },
        { "-1", -1, true, false },
        { "9223372036854775806", INT64_MAX - 1, true, false },
        { "-9223372036854775807", INT64_MIN + 1, true, false },
        /* Not to be told from what is larger. */
        { "9223372036854775807" }, { "9223372036854775808" }, { "18446744073709551615" }, { "18446744073709551616" },
        { "-9223372036854775808" }, { "-9223372036854775809" }, { "99999999999999999999999999999999999999" },
        { "-99999999999999999999999999999999999999" }, { "1.0" }, { "1e2" }, { "1e400" }, { "\"1\"" }, { "true" },
};

static void an_integer_is_within_its_range(void) {
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                g_autofree char *text = g_strdup_printf("{\"a\":%s}", numbers[i].text);
                _cleanup_json_ JsonObject *object = read_text(text);
                int64_t number = 0;
                uint32_t small = 0;

                g_test_message("%s", text);
                g_assert_cmpint(json_get_i64(object, "a", &number), ==, numbers[i].i64 ? 0 : -EINVAL);
                g_assert_cmpint(number, ==, numbers[i].value);
                g_assert_cmpint(json_get_u32(object, "a", &small), ==, numbers[i].u32 ? 0 : -EINVAL);
                g_assert_cmpuint(small, ==, numbers[i].u32 ? (uint32_t) numbers[i].value : 0);
        }
}

static void an_object_is_made_member_by_member(void) {
        _cleanup_json_ JsonObject *object = json_object_new_object();

        g_assert_cmpint(json_add_string(object, "s", "a\"\xc3\xa4"), ==, 0);
        g_assert_cmpint(json_add_i64(object, "i", INT64_MIN), ==, 0);
        g_assert_cmpint(json_add(object, "a", json_object_new_array()), ==, 0);
        g_assert_cmpint(json_add(object, "none", NULL), ==, -ENOMEM);
        g_assert_cmpstr(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), ==, "{\"s\":\"a\\\"\xc3\xa4\",\"i\":-9223372036854775808,\"a\":[]}");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/json/a-document-is-strict-json", a_document_is_strict_json);
        g_test_add_func("/json/a-document-may-end-anywhere", a_document_may_end_anywhere);
        g_test_add_func("/json/a-byte-may-be-wrong", a_byte_may_be_wrong);
        g_test_add_func("/json/a-document-is-not-deep", a_document_is_not_deep);
        g_test_add_func("/json/a-member-has-its-type-or-is-not-there", a_member_has_its_type_or_is_not_there);
        g_test_add_func("/json/a-missing-member-is-not-there", a_missing_member_is_not_there);
        g_test_add_func("/json/an-integer-is-within-its-range", an_integer_is_within_its_range);
        g_test_add_func("/json/an-object-is-made-member-by-member", an_object_is_made_member_by_member);
        return g_test_run();
}
