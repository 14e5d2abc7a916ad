/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vCPUs out of QEMU's answers: of machines that were written for the purpose, of peers
 * that lie, and of recorded machines with what libvirt made of the same answers, if
 * they are there ($BERTH_FIXTURES). */

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "guest/qemu/cpus.h"

/* One text of JSON, in which ' stands for ". */
static JsonObject *parse(const char *text) {
        g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');
        JsonObject *object = NULL;

        g_assert_cmpint(json_parse(json, strlen(json), &object), ==, 0);
        return object;
}

static VcpuTable *table_new(JsonObject *hotpluggable, JsonObject *cpus_fast) {
        _cleanup_error_ Error error = {};
        VcpuTable *table = NULL;
        int r;

        r = qemu_cpus_parse(hotpluggable, cpus_fast, &error, &table);
        g_assert_cmpstr(error.message, ==, NULL);
        g_assert_cmpint(r, ==, 0);
        return table;
}

static VcpuTable *table_of(const char *hotpluggable, const char *cpus_fast) {
        _cleanup_json_ JsonObject *slots = hotpluggable ? parse(hotpluggable) : NULL;
        _cleanup_json_ JsonObject *running = parse(cpus_fast);

        return table_new(slots, running);
}

/* One word for each vCPU: "+" or "-" for on or off, "!" if that cannot be changed, its
 * unit if there are more in it, ":thread", "@cell", "#order". */
static char *to_string(const VcpuTable *table) {
        GString *text = g_string_new(NULL);

        for (uint32_t id = 0; id < table->maximum; id++) {
                const Vcpu *vcpu = vcpu_table_find(table, id);
                const PlugUnit *unit = vcpu_table_find_unit(table, id);

                g_string_append_printf(text, "%s%c%s", id > 0 ? " " : "", vcpu->enabled ? '+' : '-', vcpu->hotpluggable ? "" : "!");
                g_assert_cmpint(vcpu->hotpluggable, ==, !vcpu->reason);
                g_assert_cmpint(unit->plugged, ==, ((const QemuUnit *) unit->data)->path != NULL);
                if (unit->count > 1) {
                        char name[VCPU_UNIT_TEXT_MAX];

                        plug_unit_to_string(unit, name);
                        g_string_append(text, name);
                }
                if (vcpu->thread != 0)
                        g_string_append_printf(text, ":%u", vcpu->thread);
                if (vcpu->cell != ID_NONE)
                        g_string_append_printf(text, "@%u", vcpu->cell);
                if (vcpu->order != 0)
                        g_string_append_printf(text, "#%u", vcpu->order);
        }
        if (!table->settled)
                g_string_append(text, " ?");
        return g_string_free(text, FALSE);
}

static void assert_table(const VcpuTable *table, const char *wanted) {
        g_autofree char *text = to_string(table);

        g_assert_cmpstr(text, ==, wanted);
}

#define SLOT(props, more) "{'type':'x-cpu','vcpus-count':1,'props':{" props "}" more "}"
#define AT(path) ",'qom-path':'" path "'"
#define BOOT(n) "/machine/unattached/device[" n "]"
#define ADDED(id) "/machine/peripheral/" id
#define RUNS(index, thread, path) "{'cpu-index':" index ",'thread-id':" thread ",'target':'x86_64','qom-path':'" path "'}"
#define RUNS_IN(index, thread, path, props) \
        "{'cpu-index':" index ",'thread-id':" thread ",'target':'x86_64','qom-path':'" path "','props':{" props "}}"

/* Four slots, in QEMU's order: two boot vCPUs, one that was added, one free. */
static const char four[] = "["
        SLOT("'core-id':0,'node-id':1,'socket-id':3", "") ","
        SLOT("'core-id':0,'node-id':1,'socket-id':2", AT(ADDED("cpu-2"))) ","
        SLOT("'core-id':0,'node-id':0,'socket-id':1", AT(BOOT("2"))) ","
        SLOT("'core-id':0,'node-id':0,'socket-id':0", AT(BOOT("0"))) "]";
static const char four_run[] = "["
        RUNS("0", "100", BOOT("0")) "," RUNS("1", "101", BOOT("2")) "," RUNS("2", "102", ADDED("cpu-2")) "]";

static void slots_are_counted_from_the_last(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(four, four_run);

        assert_table(table, "+!:100@0#1 +!:101@0#2 +:102@1#3 -@1");
        g_assert_cmpuint(table->maximum, ==, 4);
        g_assert_cmpuint(table->current, ==, 3);
        g_assert_false(table->sparse);
        g_assert_false(table->one_thread);
        g_assert_true(!table->units[1].removable && table->units[2].removable && table->units[3].removable);
        g_assert_cmpstr(table->vcpus[0].reason, ==, "it is the guest's first, which always stays");
        g_assert_cmpstr(table->vcpus[1].reason, ==, "it is there since the guest's start, without an id to remove it by");
        g_assert_null(qemu_unit_id(table->units + 0));
        g_assert_cmpstr(qemu_unit_id(table->units + 2), ==, "cpu-2");
        g_assert_null(qemu_unit_id(table->units + 3));
}

static void slots_that_come_in_order_keep_it(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_of("["
                SLOT("'core-id':0", AT(BOOT("0"))) "," SLOT("'core-id':1", AT(ADDED("a"))) "," SLOT("'core-id':2", "") "]",
                "[" RUNS("0", "7", BOOT("0")) "," RUNS("1", "8", ADDED("a")) "]");

        assert_table(table, "+!:7#1 +:8#2 -");
}

/* The order is that in which they were enabled, whatever the index. */
static void order_is_that_of_coming(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_of("["
                SLOT("'core-id':3", "") "," SLOT("'core-id':2", AT(ADDED("a"))) ","
                SLOT("'core-id':1", AT(ADDED("b"))) "," SLOT("'core-id':0", AT(BOOT("0"))) "]",
                "[" RUNS("0", "7", BOOT("0")) "," RUNS("2", "8", ADDED("a")) "," RUNS("1", "9", ADDED("b")) "]");

        assert_table(table, "+!:7#1 +:9#3 +:8#2 -");
}

static void a_core_of_threads_is_one_unit(void) {
        static const char slots[] = "["
                "{'type':'core','vcpus-count':2,'props':{'core-id':16}" AT(ADDED("vcpu4")) "},"
                "{'type':'core','vcpus-count':2,'props':{'core-id':8}},"
                "{'type':'core','vcpus-count':2,'props':{'core-id':0}" AT(BOOT("1")) "}]";
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;

        /* Threads in any order, with an index that is not their place. */
        table = table_of(slots, "["
                RUNS("1", "21", BOOT("1") "/thread[1]") "," RUNS("0", "20", BOOT("1") "/thread[0]") ","
                RUNS("2", "24", ADDED("vcpu4") "/thread[0]") "," RUNS("3", "25", ADDED("vcpu4") "/thread[1]") "]");
        assert_table(table, "+!0-1:20#1 +!0-1:21#1 -2-3 -2-3 +4-5:24#2 +4-5:25#2");
        g_assert_true(table->sparse);
        table = vcpu_table_free(table);

        /* Half of one: it is on its way. */
        table = table_of(slots, "["
                RUNS("0", "20", BOOT("1") "/thread[0]") "," RUNS("1", "21", BOOT("1") "/thread[1]") ","
                RUNS("2", "24", ADDED("vcpu4") "/thread[1]") "]");
        assert_table(table, "+!0-1:20#1 +!0-1:21#1 -2-3 -2-3 -4-5 +4-5:24#2 ?");
        g_assert_false(table->units[2].settled);
        g_assert_true(table->units[0].settled && table->units[1].settled);
}

/* Where a vCPU is in the tree of objects says whether it can be removed. */
static void what_has_no_id_cannot_be_removed(void) {
        static const struct { const char *path, *reason; } rows[] = {
                { ADDED("cpu"), NULL },
                { ADDED("cpu.with-all_of[0]"), NULL },
                { BOOT("3"), "it is there since the guest's start, without an id to remove it by" },
                { "/machine/peripheral-anon/device[0]", "it was added without an id to remove it by" },
                { "/machine/peripheral/a/b", "it is there since the guest's start, without an id to remove it by" },
                { "/machine/peripheral/", "it is there since the guest's start, without an id to remove it by" },
                { "/machine/peripheral", "it is there since the guest's start, without an id to remove it by" },
                { "/", "it is there since the guest's start, without an id to remove it by" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autofree char *slots = g_strdup_printf("[" SLOT("'core-id':1", AT("%s")) "," SLOT("'core-id':0", AT(ADDED("first"))) "]", rows[i].path);
                g_autofree char *running = g_strdup_printf("[" RUNS("0", "7", ADDED("first")) "," RUNS("1", "8", "%s") "]", rows[i].path);
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(slots, running);

                g_test_message("path: %s", rows[i].path);
                g_assert_cmpstr(table->vcpus[1].reason, ==, rows[i].reason);
                g_assert_true(table->settled);
                /* The first stays, also with an id. */
                g_assert_cmpstr(table->vcpus[0].reason, ==, "it is the guest's first, which always stays");
        }
}

static void s390x_adds_and_does_not_remove(void) {
        static const char *const words[] = { "'target':'s390x'", "'arch':'s390'" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                g_autofree char *running = g_strdup_printf("[{'cpu-index':0,'thread-id':7,'qom-path':'" BOOT("0") "',%s},"
                                                           "{'cpu-index':1,'thread-id':8,'qom-path':'" ADDED("a") "',%s}]", words[i], words[i]);
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_of("["
                        SLOT("'core-id':2", "") "," SLOT("'core-id':1", AT(ADDED("a"))) "," SLOT("'core-id':0", AT(BOOT("0"))) "]", running);

                assert_table(table, "+!:7#1 +!:8#2 -");
                g_assert_cmpstr(table->vcpus[1].reason, ==, "QEMU cannot remove vCPUs on s390x");
        }
}

static void a_machine_without_slots_keeps_its_vcpus(void) {
        static const char *const none[] = { NULL, "[]" };

        for (size_t i = 0; i < ELEMENTSOF(none); i++) {
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(none[i], "["
                        RUNS_IN("1", "8", BOOT("1"), "'core-id':1,'node-id':1") "," RUNS("0", "7", BOOT("1") "/thread[0]") ","
                        RUNS("4", "9", BOOT("1") "/thread[1]") "]");
                _cleanup_json_ JsonObject *arguments = NULL;

                /* By QEMU's index, in whatever order they came. */
                assert_table(table, "+!:7#2 +!:8@1#1 +!:9#3");
                g_assert_cmpuint(table->current, ==, 3);
                g_assert_cmpstr(table->vcpus[2].reason, ==, "this machine can neither add nor remove vCPUs");
                g_assert_cmpint(qemu_unit_arguments(table->units + 1, "a", &arguments), ==, -EOPNOTSUPP);
                g_assert_null(arguments);
        }
        {
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(NULL, "[]");

                assert_table(table, "");
                g_assert_cmpuint(table->maximum, ==, 0);
        }
}

/* The two answers are of two moments. */
static void what_is_in_one_answer_only_is_looked_at_again(void) {
        static const char slots[] = "["
                SLOT("'core-id':2,'node-id':1", "") "," SLOT("'core-id':1,'node-id':0", AT(ADDED("a"))) ","
                SLOT("'core-id':0,'node-id':0", AT(BOOT("0"))) "]";
        static const struct { const char *running, *wanted; } rows[] = {
                { "[" RUNS("0", "7", BOOT("0")) "," RUNS("1", "8", ADDED("a")) "]", "+!:7@0#1 +:8@0#2 -@1" },
                { "[" RUNS("0", "7", BOOT("0")) "]", "+!:7@0#1 -@0 -@1 ?" },
                /* In no slot, as far as it says. */
                { "[" RUNS("0", "7", BOOT("0")) "," RUNS("1", "8", ADDED("a")) "," RUNS("2", "9", ADDED("b")) "]",
                  "+!:7@0#1 +:8@0#2 -@1 ?" },
                /* In the free one. */
                { "[" RUNS("0", "7", BOOT("0")) "," RUNS("1", "8", ADDED("a")) ","
                  RUNS_IN("2", "9", ADDED("b"), "'node-id':1,'core-id':2") "]",
                  "+!:7@0#1 +:8@0#2 +:9@1#3 ?" },
                /* In one that had another a moment ago. */
                { "[" RUNS("0", "7", BOOT("0")) "," RUNS_IN("1", "8", ADDED("b"), "'core-id':1,'node-id':0") "]",
                  "+!:7@0#1 -@0 -@1 ?" },
                /* In one that nobody knows. */
                { "[" RUNS("0", "7", BOOT("0")) "," RUNS("1", "8", ADDED("a")) "," RUNS_IN("2", "9", ADDED("b"), "'core-id':77") "]",
                  "+!:7@0#1 +:8@0#2 -@1 ?" },
                { "[]", "-!@0 -@0 -@1 ?" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(slots, rows[i].running);

                g_test_message("row %zu", i);
                assert_table(table, rows[i].wanted);
        }
}

/* The path names one object; what it says of its place besides is not asked. */
static void a_path_goes_before_properties(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(
                "[" SLOT("'core-id':1", AT(BOOT("2"))) "," SLOT("'core-id':0", AT(BOOT("0"))) "]",
                "[" RUNS_IN("0", "7", BOOT("0"), "'core-id':1") "," RUNS_IN("1", "8", BOOT("2"), "'core-id':0") "]");

        assert_table(table, "+!:7#1 +!:8#2");
}

static void one_thread_for_all_is_seen(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(
                "[" SLOT("'core-id':1", AT(BOOT("2"))) "," SLOT("'core-id':0", AT(BOOT("0"))) "]",
                "[" RUNS("0", "7", BOOT("0")) "," RUNS("1", "7", BOOT("2")) "]");

        assert_table(table, "+!:7#1 +!:7#2");
        g_assert_true(table->one_thread);
}

static void the_arguments_are_those_of_the_slot(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(four, four_run);
        _cleanup_json_ JsonObject *arguments = NULL;

        g_assert_cmpint(qemu_unit_arguments(table->units + 3, "vcpu3", &arguments), ==, 0);
        g_assert_cmpstr(json_object_to_json_string_ext(arguments, JSON_C_TO_STRING_PLAIN), ==,
                        "{\"driver\":\"x-cpu\",\"id\":\"vcpu3\",\"core-id\":0,\"socket-id\":3,\"node-id\":1}");
}

static void a_path_is_found_with_what_is_below_it(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(four, four_run);

        g_assert_true(qemu_cpus_find_path(table, ADDED("cpu-2")) == table->units + 2);
        g_assert_true(qemu_cpus_find_path(table, ADDED("cpu-2") "/lapic") == table->units + 2);
        g_assert_true(qemu_cpus_find_path(table, BOOT("2")) == table->units + 1);
        g_assert_null(qemu_cpus_find_path(table, ADDED("cpu-20")));
        g_assert_null(qemu_cpus_find_path(table, ADDED("cpu-")));
        g_assert_null(qemu_cpus_find_path(table, ADDED("")));
        g_assert_null(qemu_cpus_find_path(table, "/"));
        g_assert_null(qemu_cpus_find_path(table, ""));
}

/* Garbage. Each with a part of what is said of it. */

typedef struct Garbage {
        const char *slots, *running;
        const char *message;
} Garbage;

#define ONE "[" SLOT("'core-id':0", AT(BOOT("0"))) "]"
#define ONE_RUNS "[" RUNS("0", "7", BOOT("0")) "]"
#define FIVE_PROPS(n) "'a" n "':0,'b" n "':0,'c" n "':0,'d" n "':0,'e" n "':0"

static const Garbage garbage[] = {
        { "{}", ONE_RUNS, "query-hotpluggable-cpus is no array" },
        { ONE, "{}", "query-cpus-fast is no array" },
        { "[1]", ONE_RUNS, "query-hotpluggable-cpus: entry 0 is no object" },
        { "[null]", ONE_RUNS, "query-hotpluggable-cpus: entry 0 is no object" },
        { "[[]]", ONE_RUNS, "query-hotpluggable-cpus: entry 0 is no object" },
        { ONE, "[1]", "query-cpus-fast: entry 0 is no object" },
        { ONE, "[" RUNS("0", "7", BOOT("0")) ",null]", "query-cpus-fast: entry 1 is no object" },

        { "[{'type':'x','props':{}}]", ONE_RUNS, "entry 0 has no \"vcpus-count\"; it should be a number from 1 to 65536" },
        { "[{'type':'x','props':{},'vcpus-count':0}]", ONE_RUNS, "\"vcpus-count\" of entry 0 is 0; it should be a number from 1 to 65536" },
        { "[{'type':'x','props':{},'vcpus-count':-1}]", ONE_RUNS, "\"vcpus-count\" of entry 0 is -1;" },
        { "[{'type':'x','props':{},'vcpus-count':'1'}]", ONE_RUNS, "\"vcpus-count\" of entry 0 is \"1\";" },
        { "[{'type':'x','props':{},'vcpus-count':1.5}]", ONE_RUNS, "\"vcpus-count\" of entry 0 is 1.5;" },
        { "[{'type':'x','props':{},'vcpus-count':65537}]", ONE_RUNS, "\"vcpus-count\" of entry 0 is 65537;" },
        { "[{'type':'x','props':{},'vcpus-count':4294967296}]", ONE_RUNS, "\"vcpus-count\" of entry 0 is 4294967296;" },
        { "[{'type':'x','props':{},'vcpus-count':99999999999999999999}]", ONE_RUNS, "\"vcpus-count\" of entry 0 is " },
        { "[{'type':'x','props':{'core-id':0},'vcpus-count':65536},{'type':'x','props':{'core-id':1},'vcpus-count':1}]", ONE_RUNS,
          "has 65537 vCPUs; at most 65536 are taken" },
        { "[{'type':'x','props':{'core-id':0},'vcpus-count':65536},{'type':'x','props':{'core-id':1},'vcpus-count':65536}]", ONE_RUNS,
          "has 131072 vCPUs; at most 65536 are taken" },

        { "[{'props':{},'vcpus-count':1}]", ONE_RUNS, "entry 0 has no \"type\"" },
        { "[{'type':'','props':{},'vcpus-count':1}]", ONE_RUNS, "\"type\" of entry 0 is \"\"" },
        { "[{'type':7,'props':{},'vcpus-count':1}]", ONE_RUNS, "\"type\" of entry 0 is 7" },
        { "[{'type':'x','vcpus-count':1}]", ONE_RUNS, "entry 0 has no \"props\"" },
        { "[{'type':'x','props':[],'vcpus-count':1}]", ONE_RUNS, "\"props\" of entry 0 is []" },
        { "[{'type':'x','props':null,'vcpus-count':1}]", ONE_RUNS, "\"props\" of entry 0 is null" },
        { "[" SLOT("'core-id':-1", "") "]", ONE_RUNS, "\"core-id\" of entry 0 is -1; it should be a number from 0 to 4294967295" },
        { "[" SLOT("'core-id':'0'", "") "]", ONE_RUNS, "\"core-id\" of entry 0 is \"0\"" },
        { "[" SLOT("'core-id':true", "") "]", ONE_RUNS, "\"core-id\" of entry 0 is true" },
        { "[" SLOT("'core-id':{'x':[]}", "") "]", ONE_RUNS, "\"core-id\" of entry 0 is {" },
        { "[" SLOT("'core-id':4294967296", "") "]", ONE_RUNS, "\"core-id\" of entry 0 is 4294967296" },
        { "[" SLOT("'node-id':65536", "") "]", ONE_RUNS, "\"node-id\" of entry 0 is 65536; it should be a cell's number" },
        { "[" SLOT("'driver':1", "") "]", ONE_RUNS, "entry 0 has a property \"driver\"" },
        { "[" SLOT("'id':1", "") "]", ONE_RUNS, "entry 0 has a property \"id\"" },
        { "[" SLOT("'bus':1", "") "]", ONE_RUNS, "entry 0 has a property \"bus\"" },
        { "[" SLOT("'':1", "") "]", ONE_RUNS, "entry 0 has a property \"\"" },
        { "[" SLOT("'Core':1", "") "]", ONE_RUNS, "entry 0 has a property \"Core\"" },
        { "[" SLOT("'a=1,b':1", "") "]", ONE_RUNS, "entry 0 has a property \"a=1,b\"" },
        { "[" SLOT("'aaaaaaaaaabbbbbbbbbbccccccccccddd':1", "") "]", ONE_RUNS, "entry 0 has a property \"aaaaaaaaaabbbbbbbbbbccccccccccddd\"" },
        { "[" SLOT(FIVE_PROPS("1") "," FIVE_PROPS("2") "," FIVE_PROPS("3") ",'f':0,'g':0", "") "]", ONE_RUNS,
          "entry 0 has 17 properties; at most 16 are taken" },
        { "[" SLOT("'core-id':0", ",'qom-path':7") "]", ONE_RUNS, "\"qom-path\" of entry 0 is 7" },
        { "[" SLOT("'core-id':0", AT("x")) "]", ONE_RUNS, "\"qom-path\" of entry 0 is \"x\"; it should be a path, from /" },
        { "[" SLOT("'core-id':0", AT("")) "]", ONE_RUNS, "\"qom-path\" of entry 0 is \"\"" },

        { "[" SLOT("'core-id':0", "") "," SLOT("'core-id':0", "") "]", ONE_RUNS, "two entries have the place \"core-id=0\"" },
        { "[" SLOT("'core-id':0,'socket-id':1", "") "," SLOT("'socket-id':1,'core-id':0", "") "]", ONE_RUNS,
          "two entries have the place \"core-id=0,socket-id=1\"" },
        { "[" SLOT("'core-id':0,'node-id':1", "") "," SLOT("'core-id':0,'node-id':0", "") "]", ONE_RUNS, "two entries have the place" },
        { "[" SLOT("", "") "," SLOT("", "") "]", ONE_RUNS, "two entries have the place \"\"" },
        { "[" SLOT("'core-id':1", AT("/a")) "," SLOT("'core-id':0", AT("/a")) "]", ONE_RUNS, "two entries have the path \"/a\"" },

        { ONE, "[{'cpu-index':0,'thread-id':7}]", "query-cpus-fast: entry 0 has no \"qom-path\"" },
        { ONE, "[{'cpu-index':0,'thread-id':7,'qom-path':null}]", "\"qom-path\" of entry 0 is null" },
        { ONE, "[{'cpu-index':0,'thread-id':7,'qom-path':'x/thread[0]'}]", "\"qom-path\" of entry 0 is \"x/thread[0]\"" },
        { ONE, "[{'thread-id':7,'qom-path':'/a'}]", "entry 0 has no \"cpu-index\"" },
        { ONE, "[" RUNS("-1", "7", BOOT("0")) "]", "\"cpu-index\" of entry 0 is -1" },
        { ONE, "[" RUNS("2147483648", "7", BOOT("0")) "]", "\"cpu-index\" of entry 0 is 2147483648" },
        { ONE, "[" RUNS("'0'", "7", BOOT("0")) "]", "\"cpu-index\" of entry 0 is \"0\"" },
        { ONE, "[{'cpu-index':0,'qom-path':'/a'}]", "entry 0 has no \"thread-id\"" },
        { ONE, "[" RUNS("0", "0", BOOT("0")) "]", "\"thread-id\" of entry 0 is 0; it should be a thread's number, from 1 to 2147483647" },
        { ONE, "[" RUNS("0", "-1", BOOT("0")) "]", "\"thread-id\" of entry 0 is -1" },
        { ONE, "[" RUNS("0", "2147483648", BOOT("0")) "]", "\"thread-id\" of entry 0 is 2147483648" },
        { ONE, "[" RUNS("0", "7.0", BOOT("0")) "]", "\"thread-id\" of entry 0 is 7.0" },
        { ONE, "[{'cpu-index':0,'thread-id':7,'qom-path':'/a','props':[]}]", "\"props\" of entry 0 is []" },
        { ONE, "[" RUNS("0", "7", BOOT("0")) "," RUNS("0", "8", BOOT("1")) "]", "two entries have the cpu-index 0" },
        { ONE, "[" RUNS("0", "7", BOOT("0")) "," RUNS("1", "8", BOOT("0")) "]", "two entries are \"/machine/unattached/device[0]\"" },
        { ONE, "[" RUNS("0", "7", BOOT("0")) "," RUNS("1", "8", BOOT("0") "/thread[0]") "]", "two entries are \"/machine/unattached/device[0]/thread[0]\"" },
        { ONE, "[" RUNS("0", "7", BOOT("0") "/thread[1]") "]", "\"/machine/unattached/device[0]/thread[1]\" is a thread of a unit of 1" },
        { "[" SLOT("'core-id':0", "") "]", "[" RUNS_IN("0", "7", "/a", "'core-id':0") "," RUNS_IN("1", "8", "/b", "'core-id':0") "]",
          "both \"/a\" and \"/b\" sit at core-id=0" },
        { "[" SLOT("'core-id':0", "") "]", "[" RUNS_IN("0", "7", "/a", "'core-id':'0'") "]", "query-cpus-fast: \"core-id\" of entry 0 is \"0\"" },
        { NULL, "[" RUNS_IN("0", "7", "/a", "'core-id':-1") "]", "query-cpus-fast: \"core-id\" of entry 0 is -1" },
        { NULL, "[" RUNS("1", "7", "/a") "," RUNS("0", "8", "/a") "]", "two entries are \"/a\"" },
};

static void a_peer_that_lies_is_told_by_name(void) {
        for (size_t i = 0; i < ELEMENTSOF(garbage); i++) {
                _cleanup_json_ JsonObject *slots = garbage[i].slots ? parse(garbage[i].slots) : NULL;
                _cleanup_json_ JsonObject *running = parse(garbage[i].running);
                _cleanup_error_ Error error = {};
                VcpuTable *table = NULL;

                g_test_message("row %zu: %s", i, garbage[i].message);
                g_assert_cmpint(qemu_cpus_parse(slots, running, &error, &table), ==, -EIO);
                g_assert_cmpint(error.code, ==, ERROR_BACKEND_FAILED);
                if (!strstr(error.message, garbage[i].message))
                        g_assert_cmpstr(error.message, ==, garbage[i].message);
                g_assert_true(g_str_has_prefix(error.message, "QEMU's answer"));
                g_assert_cmpuint(strlen(error.message), <, 512);
                g_assert_null(table);
                /* Nobody has to ask why. */
                g_assert_cmpint(qemu_cpus_parse(slots, running, NULL, &table), ==, -EIO);
        }
}

static void null_is_no_answer(void) {
        _cleanup_json_ JsonObject *slots = parse(ONE);
        _cleanup_error_ Error error = {};
        VcpuTable *table = NULL;

        g_assert_cmpint(qemu_cpus_parse(slots, NULL, &error, &table), ==, -EIO);
        g_assert_cmpint(error.code, ==, ERROR_BACKEND_FAILED);
        g_assert_null(table);
}

/* What is not a thread's number in brackets is a path of its own, in no unit. */
static void a_path_that_only_looks_like_a_thread_is_none(void) {
        static const char *const ends[] = {
                "/thread[]", "/thread[00]", "/thread[01]", "/thread[0", "/thread[0]x", "/thread[-0]", "/thread[65536]",
                "/thread[99999999999999999999]", "/thread[0]/x", "/threads[0]", "/", "thread[0]",
        };

        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                g_autofree char *running = g_strdup_printf("[" RUNS("0", "7", BOOT("0") "%s") "]", ends[i]);
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_of(ONE, running);

                g_test_message("end: %s", ends[i]);
                assert_table(table, "-! ?");
        }
}

static void add_slot(JsonObject *slots, JsonObject *running, uint32_t number, uint32_t index) {
        g_autofree char *path = g_strdup_printf("/machine/peripheral/cpu%u", number);
        JsonObject *slot = json_object_new_object(), *props = json_object_new_object(), *cpu = json_object_new_object();

        g_assert_cmpint(json_add_i64(props, "core-id", number), ==, 0);
        g_assert_cmpint(json_add(slot, "props", props), ==, 0);
        g_assert_cmpint(json_add_string(slot, "type", "x"), ==, 0);
        g_assert_cmpint(json_add_i64(slot, "vcpus-count", 1), ==, 0);
        g_assert_cmpint(json_add_string(slot, "qom-path", path), ==, 0);
        g_assert_cmpint(json_object_array_add(slots, slot), ==, 0);
        g_assert_cmpint(json_add_string(cpu, "qom-path", path), ==, 0);
        g_assert_cmpint(json_add_i64(cpu, "cpu-index", index), ==, 0);
        g_assert_cmpint(json_add_i64(cpu, "thread-id", index + 1), ==, 0);
        g_assert_cmpint(json_object_array_add(running, cpu), ==, 0);
}

/* As many as are taken, quickly; and one more. */
static void the_largest_answers_are_taken(void) {
        _cleanup_json_ JsonObject *slots = json_object_new_array(), *running = json_object_new_array();
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL, *none = NULL;
        _cleanup_error_ Error error = {};

        for (uint32_t i = 0; i < VCPU_MAX; i++)
                add_slot(slots, running, VCPU_MAX - 1 - i, i);
        table = table_new(slots, running);
        g_assert_cmpuint(table->current, ==, VCPU_MAX);
        g_assert_true(table->settled);
        g_assert_false(table->one_thread);
        g_assert_cmpuint(table->vcpus[VCPU_MAX - 1].thread, ==, 1);
        g_assert_cmpuint(table->vcpus[VCPU_MAX - 1].order, ==, 1);

        add_slot(slots, running, VCPU_MAX, VCPU_MAX);
        g_assert_cmpint(qemu_cpus_parse(slots, running, &error, &none), ==, -EIO);
        g_assert_cmpstr(error.message, ==, "QEMU's answer to query-cpus-fast has 65537 entries; at most 65536 are taken");
        g_assert_cmpint(qemu_cpus_parse(NULL, running, NULL, &none), ==, -EIO);
        g_assert_null(none);
}

/* Recorded machines. */

static char *fixtures;

static char *read_fixture(const char *name, const char *ending) {
        g_autofree char *file = g_strconcat(name, ending, NULL), *path = g_build_filename(fixtures, "qmp", file, NULL);
        char *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return text;
}

/* The value that an answer returned; NULL if it is none. */
static JsonObject *value_of(JsonObject *answer) {
        JsonObject *value;

        return json_object_object_get_ex(answer, "return", &value) ? json_object_get(value) : NULL;
}

static JsonObject *read_answer(const char *name, const char *ending) {
        g_autofree char *text = read_fixture(name, ending);
        _cleanup_json_ JsonObject *answer = NULL;

        g_strchomp(text);
        g_assert_cmpint(json_parse(text, strlen(text), &answer), ==, 0);
        return value_of(answer);
}

/* Our vCPUs in the words in which libvirt's conclusions were written down. */
static char *to_libvirt(const VcpuTable *table) {
        GString *text = g_string_new(NULL);

        for (uint32_t id = 0; id < table->maximum; id++) {
                const Vcpu *vcpu = vcpu_table_find(table, id);
                const PlugUnit *unit = vcpu_table_find_unit(table, id);
                const QemuUnit *data = unit->data;
                _cleanup_json_ JsonObject *arguments = NULL;

                g_string_append_printf(text, "[vcpu libvirt-id='%u']\nonline=%s\nhotpluggable=%s\n", id,
                                       vcpu->enabled ? "yes" : "no", vcpu->hotpluggable ? "yes" : "no");
                if (vcpu->enabled)
                        g_string_append_printf(text, "thread-id='%u'\n", vcpu->thread);
                if (id != unit->first)
                        continue;
                if (vcpu->enabled)
                        g_string_append_printf(text, "enable-id='%u'\n", vcpu->order);
                g_string_append_printf(text, "type='%s'\n", data->driver);
                if (qemu_unit_id(unit))
                        g_string_append_printf(text, "alias='%s'\n", qemu_unit_id(unit));
                if (data->path)
                        g_string_append_printf(text, "qom_path='%s'\n", data->path);
                g_assert_cmpint(qemu_unit_arguments(unit, "x", &arguments), ==, 0);
                g_string_append(text, "topology:");
                for (unsigned i = 0; i < 3; i++) {
                        const char *const names[] = { "socket", "core", "thread" };
                        g_autofree char *key = g_strdup_printf("%s-id", names[i]);
                        uint32_t number;

                        if (json_get_u32(arguments, key, &number) >= 0)
                                g_string_append_printf(text, " %s='%u'", names[i], number);
                }
                g_string_append_printf(text, " vcpus='%u'\n", unit->count);
        }
        return g_string_free(text, FALSE);
}

static void libvirt_concludes_the_same(void) {
        static const char *const names[] = {
                "qemumonitorjson-cpuinfo-x86-basic-pluggable", "qemumonitorjson-cpuinfo-x86-full",
                "qemumonitorjson-cpuinfo-ppc64-basic", "qemumonitorjson-cpuinfo-ppc64-hotplug-1",
                "qemumonitorjson-cpuinfo-s390",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_json_ JsonObject *slots = read_answer(names[i], "-hotplug.json");
                _cleanup_json_ JsonObject *running = read_answer(names[i], "-cpus.json");
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_new(slots, running);
                g_autofree char *theirs = read_fixture(names[i], ".data"), *ours = to_libvirt(table);
                g_auto(GStrv) lines = g_strsplit(theirs, "\n", -1);
                g_autoptr(GString) wanted = g_string_new(NULL);

                /* QEMU's index and whether it idles are none of ours. */
                for (char **line = lines; *line; line++) {
                        g_strstrip(*line);
                        if (**line && !g_str_has_prefix(*line, "query-cpus-id=") && strcmp(*line, "halted") != 0)
                                g_string_append_printf(wanted, "%s\n", *line);
                }
                g_test_message("machine: %s", names[i]);
                g_assert_cmpstr(ours, ==, wanted->str);
                g_assert_true(table->settled);
        }
}

typedef struct Conversation {
        const char *file;
        const char *const *tables;      /* one after the other; the last is NULL */
} Conversation;

/* Goes through what a monitor was asked and what it said: each pair of answers makes a
 * table, and each device_add is the one that we would have sent. */
static void assert_conversation(GPtrArray *messages, const char *const *wanted) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;
        JsonObject *slots = NULL, *value;
        const char *asked = "";

        for (guint i = 0; i < messages->len; i++) {
                JsonObject *message = messages->pdata[i];

                if (json_get_string(message, "execute", &asked) >= 0) {
                        _cleanup_json_ JsonObject *ours = NULL;
                        JsonObject *theirs;
                        const char *id;

                        if (strcmp(asked, "device_add") != 0)
                                continue;
                        g_assert_cmpint(json_get_object(message, "arguments", &theirs), ==, 0);
                        g_assert_cmpint(json_get_string(theirs, "id", &id), ==, 0);
                        /* The slot whose properties these are. */
                        for (size_t j = 0; j < table->n_units && !ours; j++) {
                                g_assert_cmpint(qemu_unit_arguments(table->units + j, id, &ours), ==, 0);
                                if (!json_object_equal(ours, theirs)) {
                                        (void) json_object_put(ours);
                                        ours = NULL;
                                        continue;
                                }
                                g_assert_false(table->units[j].plugged);
                        }
                        g_assert_nonnull(ours);
                        continue;
                }
                if (!json_object_object_get_ex(message, "return", &value))
                        continue;
                if (strcmp(asked, "query-hotpluggable-cpus") == 0)
                        slots = value;
                else if (strcmp(asked, "query-cpus-fast") == 0) {
                        table = vcpu_table_free(table);
                        table = table_new(slots, value);
                        g_assert_nonnull(*wanted);
                        assert_table(table, *wanted++);
                }
                asked = "";
        }
        g_assert_null(*wanted);
}

static void free_message(void *message) {
        (void) json_object_put(message);
}

static const Conversation conversations[] = {
        { "live-q35-add.jsonl", (const char *const []) {
                "+!:30401#1 +!:30402#2 - - - - - -",
                "+!:30401#1 +!:30402#2 - - +:30403#3 - - -",
                "+!:30401#1 +!:30402#2 +:30404#4 - +:30403#3 - - -",
                NULL } },
        { "live-pc-numa-unplug-linux-guest.jsonl", (const char *const []) {
                "+!:30827@0#1 +!:30828@0#2 -@1 -@1",
                "+!:30827@0#1 +!:30828@0#2 +:30934@1#3 -@1",
                "+!:30827@0#1 +!:30828@0#2 -@1 -@1",
                NULL } },
        { "x86-modern-bulk-monitor.json", (const char *const []) {
                "+!:518291#1 +!:518292#2 +!:518294#3 +!:518295#4 +!:518296#5 - - -",
                "+!:518291#1 +!:518292#2 +!:518294#3 +!:518295#4 +!:518296#5 +:518297#6 - -",
                "+!:518291#1 +!:518292#2 +!:518294#3 +!:518295#4 +!:518296#5 +:518297#6 +:518298#7 -",
                NULL } },
        { "ppc64-modern-individual-monitor.json", (const char *const []) {
                "+!0-7:21925#1 +!0-7:21926#1 +!0-7:21927#1 +!0-7:21928#1 +!0-7:21930#1 +!0-7:21931#1 +!0-7:21932#1 +!0-7:21933#1 "
                "-8-15 -8-15 -8-15 -8-15 -8-15 -8-15 -8-15 -8-15 -16-23 -16-23 -16-23 -16-23 -16-23 -16-23 -16-23 -16-23 "
                "-24-31 -24-31 -24-31 -24-31 -24-31 -24-31 -24-31 -24-31",
                "+!0-7:21925#1 +!0-7:21926#1 +!0-7:21927#1 +!0-7:21928#1 +!0-7:21930#1 +!0-7:21931#1 +!0-7:21932#1 +!0-7:21933#1 "
                "-8-15 -8-15 -8-15 -8-15 -8-15 -8-15 -8-15 -8-15 "
                "+16-23:22131#2 +16-23:22132#2 +16-23:22133#2 +16-23:22134#2 +16-23:22135#2 +16-23:22136#2 +16-23:22137#2 +16-23:22138#2 "
                "-24-31 -24-31 -24-31 -24-31 -24-31 -24-31 -24-31 -24-31",
                NULL } },
};

static void recorded_conversations_make_the_same_tables(void) {
        for (size_t i = 0; i < ELEMENTSOF(conversations); i++) {
                bool live = g_str_has_suffix(conversations[i].file, ".jsonl");
                g_autoptr(GPtrArray) messages = g_ptr_array_new_with_free_func(free_message);
                g_autofree char *text = read_fixture(conversations[i].file, NULL);
                g_auto(GStrv) parts = g_strsplit(text, live ? "\n" : "\n\n", -1);

                g_test_message("conversation: %s", conversations[i].file);
                for (char **part = parts; *part; part++) {
                        _cleanup_json_ JsonObject *object = NULL;
                        const char *wire;

                        g_strstrip(*part);
                        if (!**part)
                                continue;
                        g_assert_cmpint(json_parse(*part, strlen(*part), &object), ==, 0);
                        if (!live)
                                g_ptr_array_add(messages, TAKE_PTR(object));
                        else if (json_get_string(object, "wire", &wire) >= 0) {
                                JsonObject *message = NULL;

                                g_assert_cmpint(json_parse(wire, strlen(wire), &message), ==, 0);
                                g_ptr_array_add(messages, message);
                        }
                }
                assert_conversation(messages, conversations[i].tables);
        }
}

int main(int argc, char **argv) {
        g_autofree char *sample = NULL;
        int r;

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/qemu-cpus/slots-are-counted-from-the-last", slots_are_counted_from_the_last);
        g_test_add_func("/qemu-cpus/slots-that-come-in-order-keep-it", slots_that_come_in_order_keep_it);
        g_test_add_func("/qemu-cpus/order-is-that-of-coming", order_is_that_of_coming);
        g_test_add_func("/qemu-cpus/a-core-of-threads-is-one-unit", a_core_of_threads_is_one_unit);
        g_test_add_func("/qemu-cpus/what-has-no-id-cannot-be-removed", what_has_no_id_cannot_be_removed);
        g_test_add_func("/qemu-cpus/s390x-adds-and-does-not-remove", s390x_adds_and_does_not_remove);
        g_test_add_func("/qemu-cpus/a-machine-without-slots-keeps-its-vcpus", a_machine_without_slots_keeps_its_vcpus);
        g_test_add_func("/qemu-cpus/what-is-in-one-answer-only-is-looked-at-again", what_is_in_one_answer_only_is_looked_at_again);
        g_test_add_func("/qemu-cpus/a-path-goes-before-properties", a_path_goes_before_properties);
        g_test_add_func("/qemu-cpus/one-thread-for-all-is-seen", one_thread_for_all_is_seen);
        g_test_add_func("/qemu-cpus/the-arguments-are-those-of-the-slot", the_arguments_are_those_of_the_slot);
        g_test_add_func("/qemu-cpus/a-path-is-found-with-what-is-below-it", a_path_is_found_with_what_is_below_it);
        g_test_add_func("/qemu-cpus/a-peer-that-lies-is-told-by-name", a_peer_that_lies_is_told_by_name);
        g_test_add_func("/qemu-cpus/null-is-no-answer", null_is_no_answer);
        g_test_add_func("/qemu-cpus/a-path-that-only-looks-like-a-thread-is-none", a_path_that_only_looks_like_a_thread_is_none);
        g_test_add_func("/qemu-cpus/the-largest-answers-are-taken", the_largest_answers_are_taken);

        fixtures = g_strdup(g_getenv("BERTH_FIXTURES"));
        if (!fixtures)
                fixtures = g_build_filename(g_getenv("BERTH_SOURCE_ROOT") ?: ".", "..", "shared", "fixtures", NULL);
        sample = g_build_filename(fixtures, "qmp", "qemumonitorjson-cpuinfo-s390.data", NULL);
        if (g_file_test(sample, G_FILE_TEST_EXISTS)) {
                g_test_add_func("/qemu-cpus/libvirt-concludes-the-same", libvirt_concludes_the_same);
                g_test_add_func("/qemu-cpus/recorded-conversations-make-the-same-tables", recorded_conversations_make_the_same_tables);
        }
        r = g_test_run();
        g_free(fixtures);
        return r;
}
