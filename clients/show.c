/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fields.h"
#include "guests.h"
#include "show.h"
#include "table.h"
#include "units.h"

ExitCode fail_no_memory(const Ctl *ctl) {
        return ctl_fail(ctl, CTL_FAILED, "There is not enough memory.");
}

char *cache_name(json_object *cache) {
        const char *type = field_string(cache, "type");
        char *name;

        if (asprintf(&name, "L%" PRIu64 "%s", field_number_or(cache, "level", 0),
                     strcmp(type, "data") == 0 ? "d" : strcmp(type, "instruction") == 0 ? "i" : "") < 0)
                return NULL;
        return name;
}

char *numbers_format(json_object *list) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < list_length(list); i++)
                fprintf(f, "%s%" PRIu64, i > 0 ? "," : "", json_object_get_uint64(json_object_array_get_idx(list, i)));
        fclose(f);
        return text;
}

enum {
        BASE_PAGE_MAX = 64 * 1024,
        FINDING_INDENT = 9,
};

/* "512 of 2 MiB, 1 of 1 GiB": the free huge pages; "none" if there could be some.
 * Base pages come first where they are known, and nobody's are larger than 64 KiB. */
static char *huge_pages_format(json_object *cell) {
        json_object *pages = field_list(cell, "FreePages"), *sizes = field_list(cell, "PageSizes");
        uint64_t base = list_length(pages) > 0 ? field_number_or(json_object_array_get_idx(pages, 0), "size", 0) : 0;
        char *text = NULL, size_text[UNIT_TEXT_MAX];
        size_t length;
        FILE *f = open_memstream(&text, &length);
        bool any = false;

        if (!f)
                return NULL;
        for (size_t i = 0; i < list_length(pages); i++) {
                json_object *entry = json_object_array_get_idx(pages, i);
                uint64_t size = field_number_or(entry, "size", 0), n = field_number_or(entry, "free", 0);
                if (n == 0 || (size == base && base <= BASE_PAGE_MAX))
                        continue;
                fprintf(f, "%s%" PRIu64 " of %s", any ? ", " : "", n, bytes_format(size_text, size));
                any = true;
        }
        if (!any && list_length(pages) > 0 && list_length(sizes) > 1)
                fputs("none", f);
        fclose(f);
        return text;
}

static int cell_add(Table *table, json_object *cell) {
        _cleanup_free_ char *sockets = numbers_format(field_list(cell, "Sockets"));
        _cleanup_free_ char *pages = huge_pages_format(cell);
        const char *cpus = field_string(cell, "Cpus");
        char buffer[UNIT_TEXT_MAX];
        uint64_t n;
        int r;

        r = table_addf(table, "%" PRIu64, field_number_or(cell, "Id", 0));
        if (r >= 0)
                r = table_add(table, *cpus ? cpus : "none");
        if (r >= 0)
                r = table_add(table, field_number(cell, "Memory", &n) && n > 0 ? bytes_format(buffer, n) : "");
        if (r >= 0)
                r = table_add(table, field_number(cell, "FreeMemory", &n) ? bytes_format(buffer, n) : "");
        if (r >= 0)
                r = table_add(table, field_number(cell, "CacheSize", &n) && n > 0 ? bytes_format(buffer, n) : "");
        if (r >= 0)
                r = table_add(table, sockets);
        if (r >= 0)
                r = table_add(table, pages);
        return r;
}

ExitCode show_cells(const Ctl *ctl, const Terminal *t, const Host *host, unsigned max_rows) {
        static const Column columns[] = {
                { "CELL", .right = true }, { "CPUS", .wraps = true },   { "MEMORY", .right = true },
                { "FREE", .right = true }, { "CACHE", .right = true }, { "SOCKET" },
                { "FREE HUGE PAGES", .wraps = true }, {},
        };
        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;

        if (list_length(host->cells) == 0)
                return CTL_DONE;
        for (size_t i = 0; i < list_length(host->cells) && r >= 0; i++)
                r = cell_add(table, json_object_array_get_idx(host->cells, i));
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, t, max_rows);
        return CTL_DONE;
}

/* "0-1": which of the host's cells have some of these CPUs. To be freed. */
static char *cells_format(const Host *host, const CpuList *cpus) {
        CpuList cells = {};

        for (size_t i = 0; i < list_length(host->cells); i++) {
                json_object *cell = json_object_array_get_idx(host->cells, i);
                uint64_t id = field_number_or(cell, "Id", 0);
                CpuList common;

                if (id > CPU_ID_MAX || cpulist_parse(field_string(cell, "Cpus"), &common) < 0)
                        continue;
                cpulist_intersect(&common, cpus);
                if (cpulist_count(&common) > 0)
                        cpulist_add(&cells, id);
        }
        return cpulist_format(&cells);
}

static int guest_add(Table *table, json_object *guest) {
        _cleanup_free_ char *vcpus = guest_vcpus_format(guest);
        uint64_t pid = field_number_or(guest, "Pid", 0);
        int r;

        r = table_add(table, field_string(guest, "Name"));
        if (r >= 0)
                r = table_add(table, field_string(guest, "State"));
        if (r >= 0)
                r = table_add(table, vcpus);
        if (r >= 0)
                r = pid > 0 ? table_addf(table, "%" PRIu64, pid) : table_add(table, NULL);
        return r;
}

ExitCode show_guests(const Ctl *ctl, const Terminal *t, json_object *guests, unsigned max_rows) {
        static const Column columns[] = {
                { "NAME", .wraps = true }, { "STATE" }, { "VCPUS" }, { "PID", .right = true }, { "UUID" }, {},
        };
        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; i < list_length(guests) && r >= 0; i++) {
                r = guest_add(table, json_object_array_get_idx(guests, i));
                if (r >= 0)
                        r = table_add(table, field_string(json_object_array_get_idx(guests, i), "Uuid"));
        }
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, t, max_rows);
        return CTL_DONE;
}

ExitCode show_guests_placed(const Ctl *ctl, const Terminal *t, json_object *guests, json_object *lists, const Host *host,
                            unsigned max_rows) {
        static const Column columns[] = {
                { "NAME", .wraps = true }, { "STATE" }, { "VCPUS" }, { "PID", .right = true },
                { "ON CPUS", .wraps = true }, { "ON CELLS", .wraps = true }, {},
        };
        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; i < list_length(guests) && r >= 0; i++) {
                _cleanup_free_ char *cpus_text = NULL, *cells_text = NULL;
                CpuList cpus;

                if (guest_cpus(i < list_length(lists) ? json_object_array_get_idx(lists, i) : NULL, &cpus) < 0)
                        return host_fail_malformed(ctl, "ListVcpus", "a list of CPUs");
                cpus_text = cpulist_format(&cpus);
                cells_text = list_length(host->cells) > 1 ? cells_format(host, &cpus) : strdup("");
                if (!cpus_text || !cells_text)
                        return fail_no_memory(ctl);
                r = guest_add(table, json_object_array_get_idx(guests, i));
                if (r >= 0)
                        r = table_add(table, cpus_text);
                if (r >= 0)
                        r = table_add(table, cells_text);
        }
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, t, max_rows);
        return CTL_DONE;
}

int table_add_scheduler(Table *table, json_object *thread) {
        const char *scheduler = field_string(thread, "scheduler");
        json_object *priority = NULL;

        if (*scheduler && json_object_object_get_ex(thread, "priority", &priority) && json_object_get_int64(priority) != 0)
                return table_addf(table, "%s %" PRIi64, scheduler, json_object_get_int64(priority));
        return table_add(table, scheduler);
}

/* @text wrapped after the first @indent columns of its first line, which are taken. */
static void put_hanging(const Terminal *t, const char *text, unsigned indent, unsigned columns) {
        _cleanup_free_ char *flowed = NULL;
        size_t size;
        Terminal memory = *t;

        memory.file = open_memstream(&flowed, &size);
        if (!memory.file)
                return;
        terminal_put_wrapped(&memory, text, indent, columns);
        fclose(memory.file);
        fputs(size > indent ? flowed + indent : "\n", t->file);
}

/* One finding, after a word. */
static void put_finding(const Terminal *t, json_object *finding, const char *word, Style style) {
        const char *message = field_string(finding, "message"), *subject = field_string(finding, "subject");
        unsigned columns = MIN(t->columns, 100u);
        _cleanup_free_ char *text = NULL;

        text = text_format("%s%s%s", subject, *subject ? ": " : "", *message ? message : field_string(finding, "code"));
        if (!text)
                return;
        terminal_style(t, style);
        terminal_printf(t, "%-*s", FINDING_INDENT, word);
        terminal_style(t, STYLE_NORMAL);
        put_hanging(t, text, FINDING_INDENT, columns);
        terminal_put_wrapped(t, field_string(finding, "remedy"), FINDING_INDENT, columns);
}

static bool finding_blocks(json_object *finding) {
        return strcmp(field_string(finding, "severity"), "blocks") == 0;
}

void show_warnings(const Terminal *t, json_object *warnings, size_t max) {
        for (size_t i = 0; i < MIN(list_length(warnings), max); i++) {
                json_object *w = json_object_array_get_idx(warnings, i);
                put_finding(t, w, finding_blocks(w) ? "Error" : "Warning", STYLE_WARNING);
        }
}

void show_reasons(const Terminal *t, json_object *findings) {
        for (size_t i = 0; i < list_length(findings); i++) {
                json_object *f = json_object_array_get_idx(findings, i);
                bool blocks = finding_blocks(f);
                put_finding(t, f, blocks ? "Blocks" : "Warning", blocks ? STYLE_BAD : STYLE_WARNING);
        }
}

void show_wrapped(const Terminal *t, const char *label, unsigned width, const char *text, unsigned columns) {
        if (!text || !*text)
                return;
        terminal_style(t, STYLE_HEADING);
        terminal_printf(t, "%-*s", (int) width, label);
        terminal_style(t, STYLE_NORMAL);
        put_hanging(t, text, width, columns);
}

void show_line(const Terminal *t, const char *label, unsigned width, const char *value) {
        if (!value || !*value)
                return;
        terminal_style(t, STYLE_HEADING);
        terminal_put(t, label);
        terminal_style(t, STYLE_NORMAL);
        terminal_printf(t, "%*s%s\n", (int) (width > strlen(label) ? width - strlen(label) : 1), "", value);
}

ExitCode show_xml(const Ctl *ctl, json_object *xml) {
        if (ctl->json != JSON_OFF) {
                _cleanup_json_ json_object *object = json_object_new_object();
                json_object_object_add(object, "Xml", json_object_get(xml));
                return ctl_print_json(ctl, object);
        }
        const char *text = json_object_get_string(xml);
        size_t length = json_object_get_string_len(xml);
        terminal_put(&ctl->terminal, text);
        if (length == 0 || text[length - 1] != '\n')
                terminal_put(&ctl->terminal, "\n");
        return CTL_DONE;
}
