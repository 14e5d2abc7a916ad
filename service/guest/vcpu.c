/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "vcpu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int vcpu_table_new(size_t n_units, size_t n_vcpus, void (*data_free)(void *data), VcpuTable **ret) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;

        if (n_vcpus > VCPU_MAX || n_units > n_vcpus)
                return -ERANGE;
        table = calloc(1, sizeof *table);
        if (!table)
                return -ENOMEM;
        table->data_free = data_free;
        table->n_allocated = n_units;
        table->n_vcpus_allocated = (uint32_t) n_vcpus;
        if (n_units > 0) {
                table->units = calloc(n_units, sizeof *table->units);
                table->vcpus = calloc(n_vcpus, sizeof *table->vcpus);
                if (!table->units || !table->vcpus)
                        return -ENOMEM;
        }

        *ret = TAKE_PTR(table);
        return 0;
}

VcpuTable *vcpu_table_free(VcpuTable *table) {
        if (!table)
                return NULL;
        if (table->data_free)
                for (size_t i = 0; i < table->n_units; i++)
                        table->data_free(table->units[i].data);
        free(table->units);
        free(table->vcpus);
        free(table);
        return NULL;
}

PlugUnit *vcpu_table_add_unit(VcpuTable *table, uint32_t count, uint32_t cell, void *data) {
        PlugUnit *unit;

        if (count == 0 || table->n_units == table->n_allocated || count > table->n_vcpus_allocated - table->maximum)
                return NULL;

        unit = table->units + table->n_units;
        *unit = (PlugUnit) {
                .first = table->maximum,
                .count = count,
                .cell = cell,
                .settled = true,
                .removable = true,
                .data = data,
        };
        for (uint32_t id = unit->first; id < unit->first + count; id++)
                table->vcpus[id] = (Vcpu) { .id = id, .unit = (uint32_t) table->n_units, .cell = cell };
        table->maximum += count;
        table->n_units++;
        return unit;
}

void vcpu_table_enable(VcpuTable *table, uint32_t id, uint32_t thread) {
        assert(id < table->maximum);

        table->vcpus[id].enabled = true;
        table->vcpus[id].thread = thread;
}

static int compare_u32(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

        return x < y ? -1 : x > y;
}

/* Two alike among the threads that are known. */
static int find_shared_thread(VcpuTable *table) {
        _cleanup_free_ uint32_t *threads = NULL;
        size_t n = 0;

        if (table->maximum == 0)
                return 0;
        threads = calloc(table->maximum, sizeof *threads);
        if (!threads)
                return -ENOMEM;
        for (uint32_t id = 0; id < table->maximum; id++)
                if (table->vcpus[id].thread != 0)
                        threads[n++] = table->vcpus[id].thread;
        qsort(threads, n, sizeof *threads, compare_u32);
        for (size_t i = 1; i < n; i++)
                if (threads[i] == threads[i - 1])
                        table->one_thread = true;
        return 0;
}

int vcpu_table_finish(VcpuTable *table) {
        uint32_t end = 0;

        table->current = 0;
        table->settled = true;
        for (size_t i = 0; i < table->n_units; i++) {
                PlugUnit *unit = table->units + i;

                if (!unit->settled)
                        table->settled = false;
                for (uint32_t id = unit->first; id < unit->first + unit->count; id++) {
                        Vcpu *vcpu = table->vcpus + id;

                        vcpu->hotpluggable = unit->removable || !unit->plugged;
                        vcpu->reason = vcpu->hotpluggable ? NULL : unit->reason;
                        vcpu->order = vcpu->enabled ? unit->order : 0;
                        if (vcpu->enabled) {
                                table->current++;
                                end = id + 1;
                        }
                }
        }
        table->sparse = end > table->current;
        return find_shared_thread(table);
}

const Vcpu *vcpu_table_find(const VcpuTable *table, uint32_t id) {
        return table && id < table->maximum ? table->vcpus + id : NULL;
}

const PlugUnit *vcpu_table_find_unit(const VcpuTable *table, uint32_t id) {
        const Vcpu *vcpu = vcpu_table_find(table, id);

        return vcpu ? table->units + vcpu->unit : NULL;
}

void plug_unit_to_string(const PlugUnit *unit, char ret[static VCPU_UNIT_TEXT_MAX]) {
        if (unit->count == 1)
                snprintf(ret, VCPU_UNIT_TEXT_MAX, "%u", unit->first);
        else
                snprintf(ret, VCPU_UNIT_TEXT_MAX, "%u-%u", unit->first, unit->first + unit->count - 1);
}

int vcpu_table_enabled(const VcpuTable *table, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};
        int r;

        for (uint32_t id = 0; id < table->maximum; id++)
                if (table->vcpus[id].enabled) {
                        r = cpuset_add(&set, id);
                        if (r < 0)
                                return r;
                }

        *ret = TAKE(set);
        return 0;
}

/* Reasons are constants, but not always of the same place. */
static bool reasons_equal(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

unsigned vcpu_diff(const VcpuTable *before, const VcpuTable *after, uint32_t id) {
        const Vcpu *a = vcpu_table_find(before, id), *b = vcpu_table_find(after, id);
        const PlugUnit *x, *y;
        unsigned change = 0;

        if (!a || !b)
                return !a == !b ? 0 : VCPU_CHANGE_PRESENCE;

        x = before->units + a->unit;
        y = after->units + b->unit;
        if (a->enabled != b->enabled)
                change |= VCPU_CHANGE_ENABLED;
        if (a->hotpluggable != b->hotpluggable || !reasons_equal(a->reason, b->reason))
                change |= VCPU_CHANGE_HOTPLUGGABLE;
        if (a->order != b->order)
                change |= VCPU_CHANGE_ORDER;
        if (a->cell != b->cell)
                change |= VCPU_CHANGE_CELL;
        if (x->first != y->first || x->count != y->count)
                change |= VCPU_CHANGE_UNIT;
        if (a->thread != b->thread)
                change |= VCPU_CHANGE_THREAD;
        return change;
}

unsigned vcpu_table_diff(const VcpuTable *before, const VcpuTable *after) {
        static const VcpuTable none;
        unsigned change = 0;

        if (!before)
                before = &none;
        if (!after)
                after = &none;
        if (before->maximum != after->maximum)
                change |= VCPU_TABLE_CHANGE_MAXIMUM | VCPU_TABLE_CHANGE_VCPUS;
        if (before->current != after->current)
                change |= VCPU_TABLE_CHANGE_CURRENT;
        if (before->sparse != after->sparse)
                change |= VCPU_TABLE_CHANGE_SPARSE;
        for (uint32_t id = 0; id < after->maximum && !(change & VCPU_TABLE_CHANGE_VCPUS); id++)
                if (vcpu_diff(before, after, id) != 0)
                        change |= VCPU_TABLE_CHANGE_VCPUS;
        return change;
}

/* Choosing. A table is chosen from in three ways, which say the same of what cannot
 * be: which unit, what it is, and what could be asked for instead. */

void vcpu_choice_clear(VcpuChoice *choice) {
        free(choice->units);
        *choice = (VcpuChoice) {};
}

int vcpu_choice_to_set(const VcpuTable *table, const VcpuChoice *choice, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};
        int r;

        for (size_t i = 0; i < choice->n_units; i++) {
                const PlugUnit *unit = table->units + choice->units[i];

                r = cpuset_add_range(&set, unit->first, unit->first + unit->count - 1);
                if (r < 0)
                        return r;
        }

        *ret = TAKE(set);
        return 0;
}

static int refuse_unsettled(const PlugUnit *unit, Error *error) {
        char text[VCPU_UNIT_TEXT_MAX];

        plug_unit_to_string(unit, text);
        return error_set(error, ERROR_BUSY, "vCPU %s is being plugged or unplugged right now; try again when that is over", text);
}

static int refuse_unremovable(const PlugUnit *unit, Error *error) {
        char text[VCPU_UNIT_TEXT_MAX];

        plug_unit_to_string(unit, text);
        return error_set(error, ERROR_NOT_SUPPORTED, "vCPU %s can't be unplugged: %s", text,
                         unit->reason ?: "the hypervisor does not say why");
}

static int refuse_all(const VcpuTable *table, Error *error) {
        return error_set(error, ERROR_INVALID_ARGS, "that would leave the guest without a vCPU; of its %u at least 1 stays",
                         table->current);
}

static int refuse_none(Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "this guest has no vCPUs, and can have none");
}

static bool unit_is_in(const PlugUnit *unit, uint32_t cell) {
        return cell == ID_NONE || unit->cell == cell;
}

#define WHERE_MAX sizeof " on guest cell 4294967295"

/* " on guest cell 1" or nothing: for messages. */
static const char *where(uint32_t cell, char buffer[static WHERE_MAX]) {
        if (cell == ID_NONE)
                return "";
        snprintf(buffer, WHERE_MAX, " on guest cell %u", cell);
        return buffer;
}

/* Takes units until "count" vCPUs are enabled instead of "current". "cell" is ID_NONE for all
 * cells. */
static int choose(const VcpuTable *table, uint32_t cell, uint32_t count, uint32_t current, Error *error, VcpuChoice *ret) {
        _cleanup_vcpu_choice_ VcpuChoice choice = { .enable = count > current, .by_count = true, .cell = cell };
        char buffer[WHERE_MAX];
        uint32_t left = choice.enable ? count - current : current - count;
        const PlugUnit *stuck = NULL;

        if (left == 0) {
                *ret = TAKE(choice);
                return 0;
        }
        choice.units = calloc(table->n_units, sizeof *choice.units);
        if (!choice.units)
                return -ENOMEM;

        for (size_t i = 0; i < table->n_units && left > 0; i++) {
                size_t index = choice.enable ? i : table->n_units - 1 - i;
                const PlugUnit *unit = table->units + index;
                char text[VCPU_UNIT_TEXT_MAX];

                if (!unit_is_in(unit, cell) || unit->plugged == choice.enable)
                        continue;
                if (!choice.enable && !unit->removable) {
                        stuck = unit;
                        continue;
                }
                if (unit->count > left) {
                        uint32_t reached = choice.enable ? count - left : count + left;
                        uint32_t next = choice.enable ? reached + unit->count : reached - unit->count;

                        plug_unit_to_string(unit, text);
                        return error_set(error, ERROR_INVALID_ARGS,
                                         "a count of %u%s would take a part of vCPUs %s, which plug together; the nearest that can be are %u and %u",
                                         count, where(cell, buffer), text,
                                         choice.enable ? reached : next, choice.enable ? next : reached);
                }
                choice.units[choice.n_units++] = (uint32_t) index;
                left -= unit->count;
        }

        if (left > 0) {
                char text[VCPU_UNIT_TEXT_MAX];

                /* With every unit settled, there are as many to be plugged as the count needs. */
                if (!stuck)
                        return error_set(error, ERROR_BUSY, "not enough vCPUs%s can be changed now to have %u", where(cell, buffer), count);
                plug_unit_to_string(stuck, text);
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "a count of %u%s can't be reached, the least is %u now: vCPU %s can't be unplugged: %s",
                                 count, where(cell, buffer), count + left, text,
                                 stuck->reason ?: "the hypervisor does not say why");
        }

        *ret = TAKE(choice);
        return 0;
}

int vcpu_table_choose_count(const VcpuTable *table, uint32_t count, Error *error, VcpuChoice *ret) {
        if (table->maximum == 0)
                return refuse_none(error);
        if (count == 0 || count > table->maximum)
                return error_set(error, ERROR_INVALID_ARGS, "a count of %u is not possible; this guest can have 1 to %u vCPUs, and has %u",
                                 count, table->maximum, table->current);
        for (size_t i = 0; i < table->n_units; i++)
                if (!table->units[i].settled)
                        return refuse_unsettled(table->units + i, error);

        return choose(table, ID_NONE, count, table->current, error, ret);
}

static int refuse_cell(const VcpuTable *table, uint32_t guest_cell, Error *error) {
        _cleanup_cpuset_ CpuSet cells = {};
        _cleanup_free_ char *list = NULL;

        for (size_t i = 0; i < table->n_units; i++)
                if (table->units[i].cell != ID_NONE) {
                        int r = cpuset_add(&cells, table->units[i].cell);

                        if (r < 0)
                                return r;
                }
        if (cpuset_is_empty(&cells))
                return error_set(error, ERROR_NO_SUCH_CELL, "this guest has no cell %u: its vCPUs are on no cells", guest_cell);
        list = cpuset_to_list(&cells);
        if (!list)
                return -ENOMEM;
        return error_set(error, ERROR_NO_SUCH_CELL, "this guest has no vCPUs on a cell %u; it has them on %s", guest_cell, list);
}

int vcpu_table_choose_cell(const VcpuTable *table, uint32_t guest_cell, uint32_t count, Error *error, VcpuChoice *ret) {
        uint32_t maximum = 0, current = 0;

        for (uint32_t id = 0; id < table->maximum; id++)
                if (guest_cell != ID_NONE && table->vcpus[id].cell == guest_cell) {
                        maximum++;
                        current += table->vcpus[id].enabled;
                }
        if (maximum == 0)
                return refuse_cell(table, guest_cell, error);
        if (count > maximum)
                return error_set(error, ERROR_INVALID_ARGS, "a count of %u is not possible; guest cell %u can have 0 to %u vCPUs, and has %u",
                                 count, guest_cell, maximum, current);
        for (size_t i = 0; i < table->n_units; i++)
                if (table->units[i].cell == guest_cell && !table->units[i].settled)
                        return refuse_unsettled(table->units + i, error);
        if (count == 0 && current > 0 && current == table->current)
                return refuse_all(table, error);

        return choose(table, guest_cell, count, current, error, ret);
}

int vcpu_table_choose_set(const VcpuTable *table, const CpuSet *ids, bool enable, bool whole_units,
                          Error *error, VcpuChoice *ret) {
        _cleanup_vcpu_choice_ VcpuChoice choice = { .enable = enable };
        uint32_t last = UINT32_MAX, n_leaving = 0;

        if (table->maximum == 0)
                return refuse_none(error);
        if (cpuset_is_empty(ids))
                return error_set(error, ERROR_INVALID_ARGS, "the list of vCPUs is empty; this guest can have 0-%u", table->maximum - 1);
        CPUSET_FOREACH(id, ids)
                if (id >= table->maximum)
                        return error_set(error, ERROR_NO_SUCH_VCPU, "there is no vCPU %u; this guest can have 0-%u", id, table->maximum - 1);

        choice.units = calloc(table->n_units, sizeof *choice.units);
        if (!choice.units)
                return -ENOMEM;
        CPUSET_FOREACH(id, ids) {
                const PlugUnit *unit = vcpu_table_find_unit(table, id);
                char text[VCPU_UNIT_TEXT_MAX];

                if (table->vcpus[id].unit == last)
                        continue;
                last = table->vcpus[id].unit;
                if (!unit->settled)
                        return refuse_unsettled(unit, error);
                if (unit->plugged == enable)
                        continue;
                for (uint32_t other = unit->first; other < unit->first + unit->count && !whole_units; other++)
                        if (!cpuset_contains(ids, other)) {
                                plug_unit_to_string(unit, text);
                                return error_set(error, ERROR_INVALID_ARGS,
                                                 "vCPUs %s plug together, and %u of them was not named; name all, or give the flag \"core\"",
                                                 text, other);
                        }
                if (!enable && !unit->removable)
                        return refuse_unremovable(unit, error);
                choice.units[choice.n_units++] = last;
                n_leaving += unit->count;
        }
        if (!enable && n_leaving > 0 && n_leaving >= table->current)
                return refuse_all(table, error);

        /* Those that go, go from the highest. */
        for (size_t i = 0; !enable && i < choice.n_units / 2; i++) {
                uint32_t unit = choice.units[i];

                choice.units[i] = choice.units[choice.n_units - 1 - i];
                choice.units[choice.n_units - 1 - i] = unit;
        }
        *ret = TAKE(choice);
        return 0;
}
