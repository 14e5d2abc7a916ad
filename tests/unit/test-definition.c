/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is stored for a guest: its XML in both directions, and the table that it makes. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "guest/definition.h"

static Definition *parse(const char *xml) {
        _cleanup_error_ Error error = {};
        Definition *definition = NULL;
        int r;

        r = definition_parse(xml, strlen(xml), &error, &definition);
        if (r < 0)
                g_test_message("refused: %s", error.message);
        g_assert_cmpint(r, ==, 0);
        return definition;
}

static void check_set(const CpuSet *set, const char *list) {
        _cleanup_free_ char *text = cpuset_to_list(set);

        g_assert_cmpstr(text, ==, list);
}

/* What is written is read as the same, and written the same again. */
static void check_round_trip(const Definition *definition) {
        _cleanup_(definition_freep) Definition *again = NULL;
        _cleanup_free_ char *first = NULL, *second = NULL;

        g_assert_cmpint(definition_to_xml(definition, &first), ==, 0);
        again = parse(first);
        g_assert_cmpint(definition_to_xml(again, &second), ==, 0);
        g_assert_cmpstr(first, ==, second);
        g_assert_cmpstr(again->name, ==, definition->name);
        g_assert_cmpstr(again->uuid, ==, definition->uuid);
        g_assert_cmpstr(again->ignored, ==, definition->ignored);
        g_assert_cmpuint(again->maximum, ==, definition->maximum);
        g_assert_cmpint(again->chosen, ==, definition->chosen);
        g_assert_true(cpuset_equal(&again->enabled, &definition->enabled));
        g_assert_true(cpuset_equal(&again->fixed, &definition->fixed));
        g_assert_true(tuning_equal(&again->tuning, &definition->tuning));
        g_assert_cmpuint(again->n_cells, ==, definition->n_cells);
        for (size_t i = 0; i < again->n_cells; i++) {
                g_assert_cmpuint(again->cells[i].id, ==, definition->cells[i].id);
                g_assert_true(cpuset_equal(&again->cells[i].vcpus, &definition->cells[i].vcpus));
        }
        g_assert_cmpint(again->run_pid, ==, definition->run_pid);
        g_assert_cmpuint(again->run_start_ticks, ==, definition->run_start_ticks);
        g_assert_cmpstr(again->run_boot, ==, definition->run_boot);
        g_assert_true(cpuset_equal(&again->run_base_cpus, &definition->run_base_cpus));
}

#define BERTH "xmlns:berth='urn:berth:domain:1'"

static void what_is_written_is_read_as_the_same(void) {
        static const char *const rows[] = {
                "<domain/>",
                "<domain type='kvm'><name>a</name></domain>",
                "<domain><name>B\xc3\xbcro &amp; &lt;Co&gt; \"'</name><uuid>12345678-ABCD-1234-1234-123456789abc</uuid></domain>",
                "<domain><vcpu>8</vcpu></domain>",
                "<domain><vcpu current='8'>8</vcpu></domain>",
                "<domain><vcpu current='2' cpuset='1-4,^3,6'>8</vcpu></domain>",
                "<domain><vcpu>4</vcpu><vcpus><vcpu id='0' hotpluggable='no'/><vcpu id='2'/></vcpus></domain>",
                "<domain><vcpu current='3'>4</vcpu><vcpus><vcpu id='3'/><vcpu id='1' order='2'/><vcpu id='0'/><vcpu id='2' enabled='no'/></vcpus></domain>",
                "<domain><vcpu>65536</vcpu><cputune><vcpupin vcpu='65535' cpuset='65535'/></cputune></domain>",
                "<domain><vcpu>4</vcpu><cputune><vcpupin vcpu='3' cpuset='0,2'/><vcpupin vcpu='0' cpuset='0-65535,^9'/><emulatorpin cpuset='5'/>"
                "<iothreadpin iothread='1' cpuset='7'/><vcpusched vcpus='0-2,^1' scheduler='fifo' priority='99'/>"
                "<vcpusched vcpus='3' scheduler='idle'/><emulatorsched scheduler='rr' priority='1'/><iothreadsched iothreads='1-2' scheduler='batch'/></cputune></domain>",
                "<domain><cputune><vcpupin vcpu='9' cpuset='1'/></cputune></domain>",
                "<domain><vcpu>4</vcpu><cpu><numa><cell id='1' cpus='2-3' memory='1' unit='GiB'/><cell id='0' cpus='0-1'/></numa></cpu></domain>",
                "<domain><os/><vcpu>4</vcpu><devices/><cpu><model/><numa><cell cpus='0'><distances/></cell></numa></cpu></domain>",
                "<domain><name>a</name><metadata><berth:run " BERTH " pid='7' start='18446744073709551615' boot='12345678-1234-1234-1234-123456789abc' cpus='0-3' default='2'/></metadata></domain>",
                "<?xml version='1.0' encoding='ISO-8859-1'?>\n<!-- a > b --><domain><![CDATA[ <vcpu> ]]></domain>",
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(definition_freep) Definition *definition = NULL, *copy = NULL;

                g_test_message("row %zu", i);
                definition = parse(rows[i]);
                check_round_trip(definition);
                g_assert_cmpint(definition_copy(definition, &copy), ==, 0);
                check_round_trip(copy);
                g_assert_true(tuning_equal(&copy->tuning, &definition->tuning));
        }
}

static void what_a_document_says_is_kept(void) {
        _cleanup_(definition_freep) Definition *definition = parse(
                "<domain type='kvm'>\n <name> web </name>\n <uuid>12345678ABCD12341234123456789ABC</uuid>\n"
                " <vcpu placement='static' current='3' cpuset='1-4,^3,6'> 8 </vcpu>\n"
                " <vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/><vcpu id='2' enabled='yes' hotpluggable='yes'/><vcpu id='7'/></vcpus>\n"
                " <cputune><vcpupin vcpu='7' cpuset='^0,2-3'/><vcpusched vcpus='7' scheduler='fifo' priority='4'/><shares>9</shares></cputune>\n"
                " <cpu><numa><cell id='1' cpus='4-7'/><cell id='0' cpus='0-3'/></numa></cpu>\n"
                "</domain>");
        const ThreadTuning *item;

        g_assert_cmpstr(definition->name, ==, "web");
        g_assert_cmpstr(definition->uuid, ==, "12345678-abcd-1234-1234-123456789abc");
        g_assert_cmpuint(definition->maximum, ==, 8);
        g_assert_true(definition->chosen);
        check_set(&definition->enabled, "0,2,7");
        check_set(&definition->fixed, "0");
        check_set(&definition->tuning.default_cpus, "1-2,4,6");
        check_set(tuning_cpus(&definition->tuning, THREAD_ROLE_VCPU, 7), "2-3");
        item = tuning_find(&definition->tuning, THREAD_ROLE_VCPU, 7);
        g_assert_cmpint(item->policy, ==, SCHEDULER_FIFO);
        g_assert_cmpint(item->priority, ==, 4);
        g_assert_cmpuint(definition->n_cells, ==, 2);
        g_assert_cmpuint(definition->cells[0].id, ==, 0);
        check_set(&definition->cells[1].vcpus, "4-7");
        g_assert_cmpstr(definition->ignored, ==, "cputune/shares");
}

static void what_is_not_kept_is_named_once_and_briefly(void) {
        _cleanup_(definition_freep) Definition *definition = parse(
                "<domain><devices><disk/></devices><os/><devices2/><os/><qemu:x xmlns:qemu='q'/><metadata><app:y xmlns:app='a'/></metadata></domain>"), *many = NULL;
        g_autoptr(GString) xml = g_string_new("<domain>");

        g_assert_cmpstr(definition->ignored, ==, "devices, os, devices2, x, metadata/y");
        for (unsigned i = 0; i < 5000; i++)
                g_string_append_printf(xml, "<element%u/>", i);
        g_string_append(xml, "</domain>");
        many = parse(xml->str);
        g_assert_cmpuint(strlen(many->ignored), <, 500);
        g_assert_true(g_str_has_suffix(many->ignored, ", ..."));
        check_round_trip(many);
}

static void what_makes_no_sense_is_refused_with_its_line(void) {
        static const struct { const char *xml, *gist; } rows[] = {
                { "", "no XML" },
                { "   ", "no XML" },
                { "domain", "no XML" },
                { "<domain>", "no XML" },
                { "<domain", "does not end" },
                { "<domain><vcpu></domain>", "mismatch" },
                { "<domain/><domain/>", "no XML" },
                { "<domain a='1' a='2'/>", "no XML" },
                { "<domain>&unknown;</domain>", "no XML" },
                { "<network/>", "<network>" },
                { "<domain xmlns='x'/>", "has to be a <domain>" },
                { "<!DOCTYPE domain><domain/>", "document type" },
                { "<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><domain>&b;</domain>", "document type" },
                { "<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain/>", "document type" },
                { "<domain><name>a\xff</name></domain>", "0xff" },
                { "<domain><name>a\x01</name></domain>", "0x01" },
                { "<domain><name></name></domain>", "no name" },
                { "<domain><name>..</name></domain>", "no name" },
                { "<domain><name>a/b</name></domain>", "no name" },
                { "<domain><name>a</name><name>a</name></domain>", "second <name>" },
                { "<domain><uuid>1</uuid></domain>", "no UUID" },
                { "<domain><uuid>12345678-1234-1234-1234-123456789abg</uuid></domain>", "no UUID" },
                { "<domain><uuid>12345678-1234-1234-12341-23456789abc</uuid></domain>", "no UUID" },
                { "<domain><uuid>00000000-0000-0000-0000-000000000000</uuid></domain>", "zeroes" },
                { "<domain><vcpu>0</vcpu></domain>", "1 to 65536" },
                { "<domain><vcpu>65537</vcpu></domain>", "1 to 65536" },
                { "<domain><vcpu>-1</vcpu></domain>", "1 to 65536" },
                { "<domain><vcpu>99999999999999999999</vcpu></domain>", "1 to 65536" },
                { "<domain><vcpu/></domain>", "1 to 65536" },
                { "<domain><vcpu>2</vcpu><vcpu>2</vcpu></domain>", "second <vcpu>" },
                { "<domain><vcpu current='0'>2</vcpu></domain>", "1 to 2" },
                { "<domain>\n<vcpu current='3'>2</vcpu></domain>", "line 2: <vcpu current=\"3\">: it can be 1 to 2" },
                { "<domain><vcpu current=''>2</vcpu></domain>", "1 to 2" },
                { "<domain><vcpu cpuset=''>2</vcpu></domain>", "no list" },
                { "<domain><vcpu cpuset='1,'>2</vcpu></domain>", "no list" },
                { "<domain><vcpu cpuset='3-1'>2</vcpu></domain>", "no list" },
                { "<domain><vcpu cpuset='^1-2'>2</vcpu></domain>", "no list" },
                { "<domain><vcpu cpuset='65536'>2</vcpu></domain>", "no list" },
                { "<domain><vcpu cpuset='1,^1'>2</vcpu></domain>", "leaves nothing" },
                { "<domain><vcpus><vcpu id='0'/></vcpus></domain>", "without a <vcpu>" },
                { "<domain><vcpu>2</vcpu><vcpus/></domain>", "enables no vCPU" },
                { "<domain><vcpu>2</vcpu><vcpus><vcpu id='2'/></vcpus></domain>", "no vCPU 2" },
                { "<domain><vcpu>2</vcpu><vcpus><vcpu/></vcpus></domain>", "no attribute \"id\"" },
                { "<domain><vcpu>2</vcpu><vcpus><vcpu id='0'/><vcpu id='0'/></vcpus></domain>", "twice" },
                { "<domain><vcpu>2</vcpu><vcpus><vcpu id='0' enabled='maybe'/></vcpus></domain>", "\"yes\" or \"no\"" },
                { "<domain><vcpu>2</vcpu><vcpus><vcpu id='0'/><vcpu id='1' enabled='no' hotpluggable='no'/></vcpus></domain>", "never be there" },
                { "<domain><vcpu>2</vcpu><vcpus><vcpu id='0' order='0'/></vcpus></domain>", "1 to 65536" },
                { "<domain><vcpu current='2'>2</vcpu><vcpus><vcpu id='0'/></vcpus></domain>", "<vcpu current> says 2" },
                { "<domain><vcpu>2</vcpu><cputune><vcpupin vcpu='2' cpuset='0'/></cputune></domain>", "no vCPU 2" },
                { "<domain><cputune>\n<vcpupin vcpu='1' cpuset='0'/>\n<vcpupin vcpu='1' cpuset='0'/></cputune></domain>", "line 3: the pin of vcpu 1 stands there twice" },
                { "<domain><cputune><emulatorpin cpuset='0'/><emulatorpin cpuset='0'/></cputune></domain>", "twice" },
                { "<domain><cputune><vcpupin vcpu='1'/></cputune></domain>", "no attribute \"cpuset\"" },
                { "<domain><cputune><vcpupin cpuset='1'/></cputune></domain>", "no attribute \"vcpu\"" },
                { "<domain><cputune><vcpusched vcpus='0' scheduler='deadline'/></cputune></domain>", "can be \"other\"" },
                { "<domain><cputune><vcpusched vcpus='0'/></cputune></domain>", "no attribute \"scheduler\"" },
                { "<domain><cputune><vcpusched vcpus='0' scheduler='fifo'/></cputune></domain>", "priority" },
                { "<domain><cputune><vcpusched vcpus='0' scheduler='fifo' priority='100'/></cputune></domain>", "0 to 99" },
                { "<domain><cputune><vcpusched vcpus='0' scheduler='idle' priority='1'/></cputune></domain>", "priority" },
                { "<domain><cputune><vcpusched vcpus='0-3' scheduler='idle'/><vcpusched vcpus='3' scheduler='rr' priority='1'/></cputune></domain>", "twice" },
                { "<domain><cpu><numa><cell id='0' cpus='0-1'/><cell id='1' cpus='1'/></numa></cpu></domain>", "on two cells" },
                { "<domain><cpu><numa><cell id='0' cpus='0'/><cell id='0' cpus='1'/></numa></cpu></domain>", "twice" },
                { "<domain><vcpu>2</vcpu><cpu><numa><cell id='0' cpus='0-2'/></numa></cpu></domain>", "vCPU 2" },
                { "<domain><metadata><berth:run " BERTH "/></metadata></domain>", "name a run" },
                { "<domain><metadata><berth:run " BERTH " pid='1' start='1' boot='x'/></metadata></domain>", "name a run" },
                { "<domain><metadata><berth:run " BERTH " pid='-1' start='1' boot='x'/></metadata></domain>", "can be 1" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_error_ Error error = {};
                Definition *definition = NULL;

                g_test_message("row %zu", i);
                g_assert_cmpint(definition_parse(rows[i].xml, strlen(rows[i].xml), &error, &definition), ==, -EINVAL);
                g_assert_null(definition);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_ARGS);
                g_test_message("%s", error.message);
                g_assert_true(g_str_has_prefix(error.message, "line "));
                g_assert_nonnull(strstr(error.message, rows[i].gist));
        }
}

static void check_refused(const char *text, size_t length, const char *gist) {
        _cleanup_error_ Error error = {};
        Definition *definition = NULL;

        g_assert_cmpint(definition_parse(text, length, &error, &definition), ==, -EINVAL);
        g_assert_null(definition);
        g_test_message("%s", error.message);
        g_assert_nonnull(strstr(error.message, gist));
}

static void a_document_that_would_take_long_is_refused(void) {
        g_autoptr(GString) xml = g_string_new("<domain");
        static const char with_nul[] = "<domain>\0</domain>", utf16[] = "\xff\xfe<\0d\0/\0>\0";

        for (unsigned i = 0; i < 100000; i++)
                g_string_append_printf(xml, " a%u=''", i);
        g_string_append(xml, "/>");
        check_refused(xml->str, xml->len, "attributes");

        g_string_assign(xml, "");
        for (unsigned i = 0; i < 100000; i++)
                g_string_append(xml, "<a>");
        check_refused(xml->str, xml->len, "nested");

        g_string_assign(xml, "<domain>");
        for (unsigned i = 0; i < 200000; i++)
                g_string_append(xml, "<a/>");
        g_string_append(xml, "</domain>");
        check_refused(xml->str, xml->len, "tags");

        g_string_assign(xml, "<domain>");
        while (xml->len <= DEFINITION_MAX)
                g_string_append(xml, "        ");
        check_refused(xml->str, xml->len, "bytes");

        check_refused(with_nul, sizeof with_nul - 1, "0x00");
        check_refused(utf16, sizeof utf16 - 1, "0xff");
}

/* Every beginning of a document, and every document with one byte changed, is refused or
 * read, and what is read can be written. */
static void a_damaged_document_is_refused_or_sound(void) {
        static const char xml[] =
                "<domain><name>a</name><vcpu current='2' cpuset='0-3,^2'>4</vcpu><vcpus><vcpu id='1'/><vcpu id='3'/></vcpus>"
                "<cputune><vcpupin vcpu='1' cpuset='0'/><vcpusched vcpus='0' scheduler='rr' priority='1'/></cputune>"
                "<cpu><numa><cell id='0' cpus='0-3'/></numa></cpu></domain>";
        static const char bytes[] = { 0, '<', '>', '&', '\'', '9', '-', '^', '/', (char) 0x80 };

        for (size_t n = 0; n < sizeof xml - 1; n++) {
                Definition *definition = NULL;

                g_assert_cmpint(definition_parse(xml, n, NULL, &definition), ==, -EINVAL);
        }
        for (size_t at = 0; at < sizeof xml - 1; at++)
                for (size_t i = 0; i < sizeof bytes; i++) {
                        _cleanup_(definition_freep) Definition *definition = NULL;
                        char damaged[sizeof xml];

                        memcpy(damaged, xml, sizeof xml);
                        damaged[at] = bytes[i];
                        if (definition_parse(damaged, sizeof xml - 1, NULL, &definition) >= 0)
                                check_round_trip(definition);
                }
}

static void nothing_is_printed(void) {
        if (g_test_subprocess()) {
                check_refused("<domain>&x;<a b='<'/></domain>", 30, "no XML");
                return;
        }
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        g_test_trap_assert_stderr("");
}

static void a_definition_is_a_table_to_choose_from(void) {
        _cleanup_(definition_freep) Definition *definition = parse(
                "<domain><vcpu>4</vcpu><vcpus><vcpu id='0' hotpluggable='no'/><vcpu id='2'/></vcpus>"
                "<cpu><numa><cell id='5' cpus='2-3'/></numa></cpu></domain>");
        _cleanup_(definition_freep) Definition *unsaid = parse("<domain/>"), *all = parse("<domain><vcpu>3</vcpu></domain>");
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL, *none = NULL, *full = NULL;
        _cleanup_vcpu_choice_ VcpuChoice choice = {};

        g_assert_cmpint(definition_to_table(definition, &table), ==, 0);
        g_assert_cmpuint(table->maximum, ==, 4);
        g_assert_cmpuint(table->current, ==, 2);
        g_assert_true(table->sparse);
        g_assert_false(table->vcpus[0].hotpluggable);
        g_assert_true(table->vcpus[2].hotpluggable);
        g_assert_cmpuint(table->vcpus[1].cell, ==, ID_NONE);
        g_assert_cmpuint(table->vcpus[3].cell, ==, 5);
        g_assert_cmpuint(table->vcpus[2].order, ==, 2);
        g_assert_cmpint(vcpu_table_choose_count(table, 3, NULL, &choice), ==, 0);
        g_assert_cmpuint(choice.units[0], ==, 1);

        g_assert_cmpint(definition_to_table(unsaid, &none), ==, -ENODATA);
        g_assert_null(none);
        g_assert_cmpint(definition_to_table(all, &full), ==, 0);
        g_assert_cmpuint(full->current, ==, 3);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/definition/" #test, test)
        ADD(what_is_written_is_read_as_the_same);
        ADD(what_a_document_says_is_kept);
        ADD(what_is_not_kept_is_named_once_and_briefly);
        ADD(what_makes_no_sense_is_refused_with_its_line);
        ADD(a_document_that_would_take_long_is_refused);
        ADD(a_damaged_document_is_refused_or_sound);
        ADD(nothing_is_printed);
        ADD(a_definition_is_a_table_to_choose_from);
#undef ADD
        return g_test_run();
}
