/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model of a guest's vCPUs, and the choice of those that come and go. Tables are
 * written as units with blanks between them: how many vCPUs, "+" if it is plugged, "!"
 * if it cannot be removed, "?" if it is not settled, "@N" for the guest's cell. */

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/vcpu.h"

static const char always[] = "it always stays";

static VcpuTable *table_new(const char *text) {
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        VcpuTable *table = NULL;
        uint32_t order = 0, thread = 100;

        g_assert_cmpint(vcpu_table_new(strlen(text) > 0 ? g_strv_length(words) : 0, strlen(text) > 0 ? VCPU_MAX : 0, NULL, &table), ==, 0);
        for (char **word = words; *word && **word; word++) {
                const char *cell = strchr(*word, '@');
                PlugUnit *unit;

                unit = vcpu_table_add_unit(table, (uint32_t) atoi(*word), cell ? (uint32_t) atoi(cell + 1) : ID_NONE, NULL);
                g_assert_nonnull(unit);
                unit->plugged = strchr(*word, '+');
                unit->settled = !strchr(*word, '?');
                if (strchr(*word, '!')) {
                        unit->removable = false;
                        unit->reason = always;
                }
                if (unit->plugged) {
                        unit->order = ++order;
                        for (uint32_t id = unit->first; id < unit->first + unit->count; id++)
                                vcpu_table_enable(table, id, ++thread);
                }
        }
        g_assert_cmpint(vcpu_table_finish(table), ==, 0);
        return table;
}

typedef struct Shape {
        const char *table;
        uint32_t maximum, current;
        bool sparse, settled;
        const char *enabled;
} Shape;

static void a_table_says_what_follows_from_it(void) {
        static const Shape shapes[] = {
                { "", 0, 0, false, true, "" },
                { "1+!", 1, 1, false, true, "0" },
                { "1+! 1+ 1 1", 4, 2, false, true, "0-1" },
                { "1+! 1 1+ 1", 4, 2, true, true, "0,2" },
                { "1 1+", 2, 1, true, true, "1" },
                { "1 1", 2, 0, false, true, "" },
                { "8+! 8 8+", 24, 16, true, true, "0-7,16-23" },
                { "1+! 1+? 1", 3, 2, false, false, "0-1" },
                { "65536+", 65536, 65536, false, true, "0-65535" },
        };

        for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_new(shapes[i].table);
                _cleanup_cpuset_ CpuSet set = {};
                _cleanup_free_ char *list = NULL;

                g_test_message("table: %s", shapes[i].table);
                g_assert_cmpuint(table->maximum, ==, shapes[i].maximum);
                g_assert_cmpuint(table->current, ==, shapes[i].current);
                g_assert_cmpint(table->sparse, ==, shapes[i].sparse);
                g_assert_cmpint(table->settled, ==, shapes[i].settled);
                g_assert_false(table->one_thread);
                g_assert_cmpint(vcpu_table_enabled(table, &set), ==, 0);
                list = cpuset_to_list(&set);
                g_assert_cmpstr(list, ==, shapes[i].enabled);
        }
}

static void each_vcpu_is_found_with_its_unit(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_new("1+!@0 8+@1 8@1");
        char text[VCPU_UNIT_TEXT_MAX];

        for (uint32_t id = 0; id < 17; id++) {
                const Vcpu *vcpu = vcpu_table_find(table, id);
                const PlugUnit *unit = vcpu_table_find_unit(table, id);

                g_assert_cmpuint(vcpu->id, ==, id);
                g_assert_cmpint(vcpu->enabled, ==, id < 9);
                g_assert_cmpint(vcpu->hotpluggable, ==, id != 0);
                g_assert_true(vcpu->reason == (id == 0 ? always : NULL));
                g_assert_cmpuint(vcpu->cell, ==, id != 0);
                g_assert_cmpuint(vcpu->order, ==, id == 0 ? 1 : id < 9 ? 2 : 0);
                g_assert_cmpuint(vcpu->thread, ==, id < 9 ? 101 + id : 0);
                g_assert_true(unit == table->units + vcpu->unit);
                g_assert_cmpuint(unit->first, ==, id == 0 ? 0 : id < 9 ? 1 : 9);
                plug_unit_to_string(unit, text);
                g_assert_cmpstr(text, ==, id == 0 ? "0" : id < 9 ? "1-8" : "9-16");
        }
        g_assert_null(vcpu_table_find(table, 17));
        g_assert_null(vcpu_table_find(table, UINT32_MAX));
        g_assert_null(vcpu_table_find_unit(table, 17));
        g_assert_null(vcpu_table_find(NULL, 0));
        g_assert_null(vcpu_table_free(NULL));
}

static void what_will_stay_can_still_come(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = table_new("1+! 1!");

        g_assert_true(vcpu_table_find(table, 1)->hotpluggable);
        g_assert_null(vcpu_table_find(table, 1)->reason);
}

static void a_table_takes_no_more_than_it_was_made_for(void) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;

        g_assert_cmpint(vcpu_table_new(1, VCPU_MAX + 1, NULL, &table), ==, -ERANGE);
        g_assert_cmpint(vcpu_table_new(2, 1, NULL, &table), ==, -ERANGE);
        g_assert_cmpint(vcpu_table_new(1, SIZE_MAX, NULL, &table), ==, -ERANGE);
        g_assert_null(table);
        g_assert_cmpint(vcpu_table_new(2, 8, NULL, &table), ==, 0);
        g_assert_null(vcpu_table_add_unit(table, 0, ID_NONE, NULL));
        g_assert_null(vcpu_table_add_unit(table, 9, ID_NONE, NULL));
        g_assert_null(vcpu_table_add_unit(table, UINT32_MAX, ID_NONE, NULL));
        g_assert_nonnull(vcpu_table_add_unit(table, 4, ID_NONE, NULL));
        g_assert_null(vcpu_table_add_unit(table, 5, ID_NONE, NULL));
        g_assert_nonnull(vcpu_table_add_unit(table, 3, ID_NONE, NULL));
        g_assert_null(vcpu_table_add_unit(table, 1, ID_NONE, NULL));
}

/* As with TCG's thread=single. Threads that are not known are not the same. */
static void one_thread_for_two_vcpus_is_seen(void) {
        static const struct { uint32_t threads[3]; bool one; } rows[] = {
                { { 7, 8, 9 }, false }, { { 7, 7, 7 }, true }, { { 9, 8, 9 }, true }, { { 0, 0, 0 }, false }, { { 0, 5, 0 }, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_new("1+ 1+ 1+");

                for (uint32_t id = 0; id < 3; id++)
                        vcpu_table_enable(table, id, rows[i].threads[id]);
                table->one_thread = false;
                g_assert_cmpint(vcpu_table_finish(table), ==, 0);
                g_assert_cmpint(table->one_thread, ==, rows[i].one);
        }
}

typedef struct Difference {
        const char *before, *after;
        unsigned table, vcpu;           /* the vCPU is 1 */
} Difference;

static void each_change_has_its_bits(void) {
        static const Difference differences[] = {
                { "1+! 1+", "1+! 1+", 0, 0 },
                { "1+! 1+", "1+! 1", VCPU_TABLE_CHANGE_CURRENT | VCPU_TABLE_CHANGE_VCPUS,
                  VCPU_CHANGE_ENABLED | VCPU_CHANGE_ORDER | VCPU_CHANGE_THREAD },
                { "1+! 1+!", "1+! 1", VCPU_TABLE_CHANGE_CURRENT | VCPU_TABLE_CHANGE_VCPUS,
                  VCPU_CHANGE_ENABLED | VCPU_CHANGE_ORDER | VCPU_CHANGE_THREAD | VCPU_CHANGE_HOTPLUGGABLE },
                { "1+! 1+! 1 1", "1+! 1+ 1 1", VCPU_TABLE_CHANGE_VCPUS, VCPU_CHANGE_HOTPLUGGABLE },
                { "1+! 1 1+", "1+! 1 1", VCPU_TABLE_CHANGE_CURRENT | VCPU_TABLE_CHANGE_SPARSE | VCPU_TABLE_CHANGE_VCPUS, 0 },
                { "1+! 1@0", "1+! 1@1", VCPU_TABLE_CHANGE_VCPUS, VCPU_CHANGE_CELL },
                { "1+! 1", "1+! 1@0", VCPU_TABLE_CHANGE_VCPUS, VCPU_CHANGE_CELL },
                { "1+! 1 1", "1+! 2", VCPU_TABLE_CHANGE_VCPUS, VCPU_CHANGE_UNIT },
                { "1+! 1", "1+!", VCPU_TABLE_CHANGE_MAXIMUM | VCPU_TABLE_CHANGE_VCPUS, VCPU_CHANGE_PRESENCE },
                { "1+! 1+? 1", "1+! 1+ 1", 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(differences); i++) {
                const Difference *d = differences + i;
                _cleanup_(vcpu_table_freep) VcpuTable *before = table_new(d->before), *after = table_new(d->after);

                g_test_message("%s, then %s", d->before, d->after);
                g_assert_cmphex(vcpu_table_diff(before, after), ==, d->table);
                g_assert_cmphex(vcpu_table_diff(after, before), ==, d->table);
                g_assert_cmphex(vcpu_diff(before, after, 1), ==, d->vcpu);
                g_assert_cmphex(vcpu_diff(after, before, 1), ==, d->vcpu);
                g_assert_cmphex(vcpu_table_diff(after, after), ==, 0);
                g_assert_cmphex(vcpu_table_diff(NULL, after), ==,
                                VCPU_TABLE_CHANGE_MAXIMUM | VCPU_TABLE_CHANGE_CURRENT | VCPU_TABLE_CHANGE_VCPUS |
                                (after->sparse ? VCPU_TABLE_CHANGE_SPARSE : 0));
                g_assert_cmphex(vcpu_diff(NULL, after, 0), ==, VCPU_CHANGE_PRESENCE);
        }
        g_assert_cmphex(vcpu_table_diff(NULL, NULL), ==, 0);
        g_assert_cmphex(vcpu_diff(NULL, NULL, 3), ==, 0);
}

/* Reasons are compared as texts: another backend may have the same one elsewhere. */
static void another_reason_is_a_change(void) {
        static const char same[] = "it always stays", other[] = "it stays for now";
        _cleanup_(vcpu_table_freep) VcpuTable *before = table_new("1+! 1+!"), *after = table_new("1+! 1+!");

        after->units[1].reason = same;
        g_assert_cmpint(vcpu_table_finish(after), ==, 0);
        g_assert_cmphex(vcpu_diff(before, after, 1), ==, 0);
        after->units[1].reason = other;
        g_assert_cmpint(vcpu_table_finish(after), ==, 0);
        g_assert_cmphex(vcpu_diff(before, after, 1), ==, VCPU_CHANGE_HOTPLUGGABLE);
        g_assert_cmphex(vcpu_table_diff(before, after), ==, VCPU_TABLE_CHANGE_VCPUS);
}

/* The units' first vCPUs in the order in which they are to be changed, "+" or "-" before
 * them; or the error's errno and a part of its message. */
static void assert_choice(int r, const VcpuTable *table, const VcpuChoice *choice, const Error *error, const char *wanted) {
        g_autoptr(GString) text = g_string_new(NULL);

        if (g_ascii_isupper(wanted[0])) {
                static const struct { const char *name; ErrorCode code; int r; } codes[] = {
                        { "InvalidArgs", ERROR_INVALID_ARGS, -EINVAL }, { "NotSupported", ERROR_NOT_SUPPORTED, -EOPNOTSUPP },
                        { "Busy", ERROR_BUSY, -EBUSY }, { "NoSuchVcpu", ERROR_NO_SUCH_VCPU, -ENOENT },
                        { "NoSuchCell", ERROR_NO_SUCH_CELL, -ENOENT },
                };
                size_t i = 0;

                while (i < ELEMENTSOF(codes) && !g_str_has_prefix(wanted, codes[i].name))
                        i++;
                g_assert_cmpuint(i, <, ELEMENTSOF(codes));
                g_assert_cmpint(r, ==, codes[i].r);
                g_assert_cmpint(error->code, ==, codes[i].code);
                g_assert_cmpstr(error->message, ==, wanted + strlen(codes[i].name) + 2);
                g_assert_null(choice->units);
                return;
        }

        g_assert_cmpstr(error->message, ==, NULL);
        g_assert_cmpint(r, ==, 0);
        for (size_t i = 0; i < choice->n_units; i++)
                g_string_append_printf(text, "%s%c%u", i > 0 ? " " : "", choice->enable ? '+' : '-', table->units[choice->units[i]].first);
        g_assert_cmpstr(text->str, ==, wanted);
}

typedef struct CountRow {
        const char *table;
        uint32_t count;
        const char *wanted;
} CountRow;

static void a_count_takes_the_lowest_free_and_the_highest_removable(void) {
        static const CountRow rows[] = {
                { "1+! 1+ 1 1", 2, "" },
                { "1+! 1+ 1 1", 3, "+2" },
                { "1+! 1+ 1 1", 4, "+2 +3" },
                { "1+! 1 1+ 1", 4, "+1 +3" },
                { "1+! 1 1+ 1", 3, "+1" },
                { "1+! 1+ 1 1", 1, "-1" },
                { "1+! 1+ 1+ 1+", 2, "-3 -2" },
                { "1+! 1+ 1+ 1+!", 3, "-2" },
                { "1+! 1+ 1+! 1", 2, "-1" },
                { "8+! 8 8", 16, "+8" },
                { "8+! 8 8+", 24, "+8" },
                { "8+! 8+ 8+", 8, "-16 -8" },
                { "1+! 1+ 1 1", 0, "InvalidArgs: a count of 0 is not possible; this guest can have 1 to 4 vCPUs, and has 2" },
                { "1+! 1+ 1 1", 5, "InvalidArgs: a count of 5 is not possible; this guest can have 1 to 4 vCPUs, and has 2" },
                { "1+! 1+ 1 1", UINT32_MAX, "InvalidArgs: a count of 4294967295 is not possible; this guest can have 1 to 4 vCPUs, and has 2" },
                { "8+! 8 8", 10, "InvalidArgs: a count of 10 would take a part of vCPUs 8-15, which plug together; the nearest that can be are 8 and 16" },
                { "8+! 8 8", 17, "InvalidArgs: a count of 17 would take a part of vCPUs 16-23, which plug together; the nearest that can be are 16 and 24" },
                { "8+! 8+ 8+", 17, "InvalidArgs: a count of 17 would take a part of vCPUs 16-23, which plug together; the nearest that can be are 16 and 24" },
                { "8+! 8+ 8+", 9, "InvalidArgs: a count of 9 would take a part of vCPUs 8-15, which plug together; the nearest that can be are 8 and 16" },
                { "1+! 1+! 1+ 1+", 1, "NotSupported: a count of 1 can't be reached, the least is 2 now: vCPU 0 can't be unplugged: it always stays" },
                { "1 1+! 1+! 1", 1, "NotSupported: a count of 1 can't be reached, the least is 2 now: vCPU 1 can't be unplugged: it always stays" },
                { "8+! 8+", 1, "NotSupported: a count of 1 can't be reached, the least is 8 now: vCPU 0-7 can't be unplugged: it always stays" },
                /* Once it is there it stays. */
                { "1+! 1! 1! 1", 3, "+1 +2" },
                { "1+! 1+? 1 1", 3, "Busy: vCPU 1 is being plugged or unplugged right now; try again when that is over" },
                { "1+! 1? 1 1", 1, "Busy: vCPU 1 is being plugged or unplugged right now; try again when that is over" },
                { "", 1, "NotSupported: this guest has no vCPUs, and can have none" },
                { "", 0, "NotSupported: this guest has no vCPUs, and can have none" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_new(rows[i].table);
                _cleanup_vcpu_choice_ VcpuChoice choice = {};
                _cleanup_error_ Error error = {};

                g_test_message("%s: %u", rows[i].table, rows[i].count);
                assert_choice(vcpu_table_choose_count(table, rows[i].count, &error, &choice), table, &choice, &error, rows[i].wanted);
        }
}

typedef struct CellRow {
        const char *table;
        uint32_t cell, count;
        const char *wanted;
} CellRow;

static void a_count_on_a_cell_leaves_the_others_alone(void) {
        static const char two[] = "1+!@0 1@0 1@1 1@1";
        static const CellRow rows[] = {
                { two, 1, 2, "+2 +3" },
                { two, 1, 1, "+2" },
                { two, 1, 0, "" },
                { two, 0, 2, "+1" },
                { "1+!@0 1@1 1@0 1@1", 1, 2, "+1 +3" },
                { "1+!@0 1+@0 1+@1 1+@1", 1, 0, "-3 -2" },
                { "1+!@0 1+@0 1+@1 1+@1", 0, 1, "-1" },
                { "1+!@0 1+@1 1+@0 1+@1", 1, 1, "-3" },
                { "1+!@0 4@1 4@1", 1, 4, "+1" },
                { two, 1, 3, "InvalidArgs: a count of 3 is not possible; guest cell 1 can have 0 to 2 vCPUs, and has 0" },
                { two, 2, 1, "NoSuchCell: this guest has no vCPUs on a cell 2; it has them on 0-1" },
                { two, 2, 0, "NoSuchCell: this guest has no vCPUs on a cell 2; it has them on 0-1" },
                { two, ID_NONE, 1, "NoSuchCell: this guest has no vCPUs on a cell 4294967295; it has them on 0-1" },
                { "1+! 1", 0, 1, "NoSuchCell: this guest has no cell 0: its vCPUs are on no cells" },
                { "1+! 1", ID_NONE, 1, "NoSuchCell: this guest has no cell 4294967295: its vCPUs are on no cells" },
                { "", 0, 1, "NoSuchCell: this guest has no cell 0: its vCPUs are on no cells" },
                { "1+@0 1+@0 1@1", 0, 0, "InvalidArgs: that would leave the guest without a vCPU; of its 2 at least 1 stays" },
                { "1+!@0 1+@0 1@1", 0, 0, "InvalidArgs: that would leave the guest without a vCPU; of its 2 at least 1 stays" },
                { "1+!@0 1+@0 1+@1", 0, 0, "NotSupported: a count of 0 on guest cell 0 can't be reached, the least is 1 now: vCPU 0 can't be unplugged: it always stays" },
                { "1+!@0 4@1 4@1", 1, 6, "InvalidArgs: a count of 6 on guest cell 1 would take a part of vCPUs 5-8, which plug together; the nearest that can be are 4 and 8" },
                { "1+!@0 1?@0 1@1", 0, 2, "Busy: vCPU 1 is being plugged or unplugged right now; try again when that is over" },
                { "1+!@0 1?@0 1@1", 1, 1, "+2" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_new(rows[i].table);
                _cleanup_vcpu_choice_ VcpuChoice choice = {};
                _cleanup_error_ Error error = {};

                g_test_message("%s: %u on cell %u", rows[i].table, rows[i].count, rows[i].cell);
                assert_choice(vcpu_table_choose_cell(table, rows[i].cell, rows[i].count, &error, &choice), table, &choice, &error, rows[i].wanted);
        }
}

typedef struct SetRow {
        const char *table, *ids;
        bool enable, whole;
        const char *wanted;
} SetRow;

static void a_list_is_whole_units_or_says_so(void) {
        static const SetRow rows[] = {
                { "1+! 1+ 1 1", "2", true, false, "+2" },
                { "1+! 1+ 1 1", "3,2", true, false, "+2 +3" },
                { "1+! 1+ 1 1", "0-3", true, false, "+2 +3" },
                { "1+! 1+ 1 1", "0-1", true, false, "" },
                { "1+! 1+ 1+ 1+", "1,3", false, false, "-3 -1" },
                { "1+! 1+ 1+ 1+", "1-3", false, false, "-3 -2 -1" },
                { "1+! 1+ 1 1", "2-3", false, false, "" },
                { "1+! 1+ 1 1", "0", true, true, "" },
                { "8+! 8 8", "8-15", true, false, "+8" },
                { "8+! 8 8", "8-23", true, false, "+8 +16" },
                { "8+! 8 8", "9", true, true, "+8" },
                { "8+! 8 8", "15-16", true, true, "+8 +16" },
                { "8+! 8 8", "3", true, false, "" },
                { "1+! 1!", "1", true, false, "+1" },
                { "1+! 1+? 1 1", "2", true, false, "+2" },
                { "1+! 1 1 1", "", true, false, "InvalidArgs: the list of vCPUs is empty; this guest can have 0-3" },
                { "1+! 1 1 1", "4", true, false, "NoSuchVcpu: there is no vCPU 4; this guest can have 0-3" },
                { "1+! 1 1 1", "1,65535", true, false, "NoSuchVcpu: there is no vCPU 65535; this guest can have 0-3" },
                { "8+! 8 8", "9", true, false, "InvalidArgs: vCPUs 8-15 plug together, and 8 of them was not named; name all, or give the flag \"core\"" },
                { "8+! 8 8", "8-14,16-23", true, false, "InvalidArgs: vCPUs 8-15 plug together, and 15 of them was not named; name all, or give the flag \"core\"" },
                { "1+! 1+ 1+ 1+", "0", false, false, "NotSupported: vCPU 0 can't be unplugged: it always stays" },
                { "1+! 1+ 1+ 1+", "0-3", false, false, "NotSupported: vCPU 0 can't be unplugged: it always stays" },
                { "8+! 8+ 8+", "4-11", false, true, "NotSupported: vCPU 0-7 can't be unplugged: it always stays" },
                { "1+ 1+ 1 1", "0-1", false, false, "InvalidArgs: that would leave the guest without a vCPU; of its 2 at least 1 stays" },
                { "1+! 1+? 1 1", "1", false, false, "Busy: vCPU 1 is being plugged or unplugged right now; try again when that is over" },
                { "", "0", true, false, "NotSupported: this guest has no vCPUs, and can have none" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_new(rows[i].table);
                _cleanup_vcpu_choice_ VcpuChoice choice = {};
                _cleanup_cpuset_ CpuSet ids = {};
                _cleanup_error_ Error error = {};

                g_test_message("%s: %s %s", rows[i].table, rows[i].ids, rows[i].enable ? "on" : "off");
                g_assert_cmpint(cpuset_parse_list(rows[i].ids, &ids), ==, 0);
                assert_choice(vcpu_table_choose_set(table, &ids, rows[i].enable, rows[i].whole, &error, &choice),
                              table, &choice, &error, rows[i].wanted);
        }
}

/* What a choice says comes true gives the count; for every count, from every table of
 * some units. */
static void a_choice_leads_to_its_count(void) {
        static const char *const units[] = { "1", "1+", "1+!", "2", "2+" };

        for (unsigned shape = 0; shape < 5 * 5 * 5 * 5; shape++) {
                g_autofree char *text = g_strdup_printf("%s %s %s %s", units[shape % 5], units[shape / 5 % 5],
                                                        units[shape / 25 % 5], units[shape / 125]);
                _cleanup_(vcpu_table_freep) VcpuTable *table = table_new(text);

                for (uint32_t count = 1; count <= table->maximum; count++) {
                        _cleanup_vcpu_choice_ VcpuChoice choice = {};
                        _cleanup_cpuset_ CpuSet set = {};
                        _cleanup_error_ Error error = {};
                        int r;

                        r = vcpu_table_choose_count(table, count, &error, &choice);
                        if (r < 0) {
                                g_assert_true(error.code == ERROR_INVALID_ARGS || error.code == ERROR_NOT_SUPPORTED);
                                continue;
                        }
                        g_assert_cmpint(vcpu_choice_to_set(table, &choice, &set), ==, 0);
                        CPUSET_FOREACH(id, &set)
                                g_assert_cmpint(vcpu_table_find(table, id)->enabled, !=, choice.enable);
                        g_assert_cmpint((int) table->current + (choice.enable ? 1 : -1) * (int) cpuset_count(&set), ==, count);
                }
        }
}

static unsigned n_freed;

static void count_freed(void *data) {
        if (data)
                n_freed++;
}

static void the_data_of_each_unit_is_freed(void) {
        VcpuTable *table = NULL;

        g_assert_cmpint(vcpu_table_new(3, 3, count_freed, &table), ==, 0);
        g_assert_nonnull(vcpu_table_add_unit(table, 1, ID_NONE, table));
        g_assert_nonnull(vcpu_table_add_unit(table, 1, ID_NONE, table));
        g_assert_null(vcpu_table_free(table));
        g_assert_cmpuint(n_freed, ==, 2);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/vcpu/a-table-says-what-follows-from-it", a_table_says_what_follows_from_it);
        g_test_add_func("/vcpu/each-vcpu-is-found-with-its-unit", each_vcpu_is_found_with_its_unit);
        g_test_add_func("/vcpu/what-will-stay-can-still-come", what_will_stay_can_still_come);
        g_test_add_func("/vcpu/a-table-takes-no-more-than-it-was-made-for", a_table_takes_no_more_than_it_was_made_for);
        g_test_add_func("/vcpu/one-thread-for-two-vcpus-is-seen", one_thread_for_two_vcpus_is_seen);
        g_test_add_func("/vcpu/each-change-has-its-bits", each_change_has_its_bits);
        g_test_add_func("/vcpu/another-reason-is-a-change", another_reason_is_a_change);
        g_test_add_func("/vcpu/a-count-takes-the-lowest-free-and-the-highest-removable", a_count_takes_the_lowest_free_and_the_highest_removable);
        g_test_add_func("/vcpu/a-count-on-a-cell-leaves-the-others-alone", a_count_on_a_cell_leaves_the_others_alone);
        g_test_add_func("/vcpu/a-list-is-whole-units-or-says-so", a_list_is_whole_units_or_says_so);
        g_test_add_func("/vcpu/a-choice-leads-to-its-count", a_choice_leads_to_its_count);
        g_test_add_func("/vcpu/the-data-of-each-unit-is-freed", the_data_of_each_unit_is_freed);
        return g_test_run();
}
