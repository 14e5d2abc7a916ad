/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The XML of a host: exact text of a small one, and the schema for odd ones. */

#include <glib.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <string.h>

#include "fixture.h"
#include "host/power.h"
#include "host/topology-xml.h"

static void assert_valid(const char *xml) {
        g_autofree char *path = g_build_filename(g_getenv("BERTH_SOURCE_ROOT"), "service/xml/capabilities.rng", NULL);
        xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(path);
        xmlRelaxNG *schema = xmlRelaxNGParse(parser);
        xmlRelaxNGValidCtxt *valid;
        xmlDoc *doc;

        g_assert_nonnull(schema);
        doc = xmlReadMemory(xml, (int) strlen(xml), NULL, NULL, XML_PARSE_NONET);
        g_assert_nonnull(doc);
        valid = xmlRelaxNGNewValidCtxt(schema);
        g_assert_cmpint(xmlRelaxNGValidateDoc(valid, doc), ==, 0);
        xmlRelaxNGFreeValidCtxt(valid);
        xmlFreeDoc(doc);
        xmlRelaxNGFree(schema);
        xmlRelaxNGFreeParserCtxt(parser);
}

static char *topology_xml(Fixture *fixture, bool nested) {
        char *xml = NULL;

        g_assert_cmpint(topology_to_xml(fixture->host, nested, &xml), ==, 0);
        assert_valid(xml);
        return xml;
}

static char *capabilities_xml(Fixture *fixture) {
        char *xml = NULL;

        g_assert_cmpint(capabilities_to_xml(fixture->host, &xml), ==, 0);
        assert_valid(xml);
        return xml;
}

/* One of everything. */
static Fixture *rich_new(void) {
        Tree *tree = tree_new();

        machine_write(tree, (Shape) { .sockets = 2, .cores = 1, .threads = 2, .cells = TRUE });
        for (unsigned cpu = 0; cpu < 4; cpu++)
                tree_writef(tree, "0\n", CPU "/cpu%u/topology/die_id", cpu);
        tree_write(tree, "proc/sys/kernel/arch", "x86_64\n");
        tree_write(tree, "proc/cpuinfo", "vendor_id : GenuineIntel\nmodel name : <Xeon> & \"co\"\n");
        tree_write(tree, "etc/machine-id", "4c4c4544004235108052b4c04f4d3332\n");
        tree_write(tree, NODE "/node0/hugepages/hugepages-2048kB/nr_hugepages", "8\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index1/size", "1048576\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index1/line_size", "64\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index1/indexing", "0\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index1/write_policy", "1\n");
        tree_write(tree, NODE "/node0/access0/initiators/read_latency", "5\n");
        tree_write(tree, NODE "/node0/access0/initiators/write_bandwidth", "200\n");
        tree_link(tree, NODE "/node0/access0/initiators/node0", "../../../node0");
        tree_link(tree, NODE "/node0/access0/initiators/node1", "../../../node1");
        machine_write_cache(tree, 0, 0, 2, "Unified", "1M", "0-1");
        machine_write_cache(tree, 0, 1, 3, "Unified", "8192K", "0-1");
        machine_write_cache(tree, 2, 1, 3, "Unified", "1025K", "2-3");
        machine_write_cache(tree, 2, 0, 2, "Unified", "1M", "2-3");
        tree_write(tree, CPU "/cpu0/cache/index1/id", "7\n");
        return fixture_new(tree);
}

#define CELL_0 \
        "<cell id=\"0\">\n" \
        "  <memory unit=\"KiB\">1048576</memory>\n" \
        "  <pages unit=\"KiB\" size=\"4\">258048</pages>\n" \
        "  <pages unit=\"KiB\" size=\"2048\">8</pages>\n" \
        "  <distances>\n" \
        "    <sibling id=\"0\" value=\"10\"/>\n" \
        "    <sibling id=\"1\" value=\"21\"/>\n" \
        "  </distances>\n" \
        "  <cache level=\"1\" associativity=\"direct\" policy=\"writethrough\">\n" \
        "    <size value=\"1024\" unit=\"KiB\"/>\n" \
        "    <line value=\"64\" unit=\"B\"/>\n" \
        "  </cache>\n" \
        "  <cpus num=\"2\">\n" \
        "    <cpu id=\"0\" socket_id=\"0\" die_id=\"0\" core_id=\"0\" siblings=\"0-1\"/>\n" \
        "    <cpu id=\"1\" socket_id=\"0\" die_id=\"0\" core_id=\"0\" siblings=\"0-1\"/>\n" \
        "  </cpus>\n" \
        "</cell>\n"
#define CELL_1 \
        "<cell id=\"1\">\n" \
        "  <memory unit=\"KiB\">1048576</memory>\n" \
        "  <pages unit=\"KiB\" size=\"4\">262144</pages>\n" \
        "  <distances>\n" \
        "    <sibling id=\"0\" value=\"20\"/>\n" \
        "    <sibling id=\"1\" value=\"10\"/>\n" \
        "  </distances>\n" \
        "  <cpus num=\"2\">\n" \
        "    <cpu id=\"2\" socket_id=\"1\" die_id=\"0\" core_id=\"0\" siblings=\"2-3\"/>\n" \
        "    <cpu id=\"3\" socket_id=\"1\" die_id=\"0\" core_id=\"0\" siblings=\"2-3\"/>\n" \
        "  </cpus>\n" \
        "</cell>\n"
#define INTERCONNECTS \
        "<interconnects>\n" \
        "  <latency initiator=\"0\" target=\"0\" type=\"read\" value=\"5\"/>\n" \
        "  <latency initiator=\"1\" target=\"0\" type=\"read\" value=\"5\"/>\n" \
        "  <bandwidth initiator=\"0\" target=\"0\" type=\"write\" value=\"204800\" unit=\"KiB\"/>\n" \
        "  <bandwidth initiator=\"1\" target=\"0\" type=\"write\" value=\"204800\" unit=\"KiB\"/>\n" \
        "</interconnects>\n"

/* Lines, each further in. */
static char *indent(const char *text, unsigned levels) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        GString *all = g_string_new(NULL);

        for (char **line = lines; *line && **line; line++)
                g_string_append_printf(all, "%*s%s\n", (int) (2 * levels), "", *line);
        return g_string_free(all, FALSE);
}

static char *flat(unsigned levels) {
        g_autofree char *first = indent(CELL_0, 2), *second = indent(CELL_1, 2), *interconnects = indent(INTERCONNECTS, 1);
        g_autofree char *all = g_strconcat("<topology>\n  <cells num=\"2\">\n", first, second, "  </cells>\n", interconnects, "</topology>\n", NULL);

        return indent(all, levels);
}

static void cells_are_laid_out_as_by_libvirt(void) {
        g_autoptr(Fixture) fixture = rich_new();
        _cleanup_free_ char *xml = topology_xml(fixture, false);
        g_autofree char *wanted = flat(0);

        g_assert_cmpstr(xml, ==, wanted);
}

static void nested_cells_stand_in_their_socket(void) {
        g_autoptr(Fixture) fixture = rich_new();
        _cleanup_free_ char *xml = topology_xml(fixture, true);
        g_autofree char *first = indent(CELL_0, 3), *second = indent(CELL_1, 3), *interconnects = indent(INTERCONNECTS, 1);
        g_autofree char *wanted = g_strconcat("<topology>\n"
                                              "  <cells num=\"2\">\n"
                                              "    <socket id=\"0\">\n", first, "    </socket>\n"
                                              "    <socket id=\"1\">\n", second, "    </socket>\n"
                                              "  </cells>\n", interconnects, "</topology>\n", NULL);

        g_assert_cmpstr(xml, ==, wanted);
}

static void capabilities_hold_all(void) {
        g_autoptr(Fixture) fixture = rich_new();
        _cleanup_free_ char *xml = capabilities_xml(fixture);
        g_autofree char *topology = flat(2);
        g_autofree char *wanted = g_strconcat("<capabilities>\n"
                                              "  <host>\n"
                                              "    <uuid>4c4c4544-0042-3510-8052-b4c04f4d3332</uuid>\n"
                                              "    <cpu>\n"
                                              "      <arch>x86_64</arch>\n"
                                              "      <vendor>Intel</vendor>\n"
                                              "      <topology sockets=\"2\" dies=\"1\" cores=\"1\" threads=\"2\"/>\n"
                                              "      <pages unit=\"KiB\" size=\"4\"/>\n"
                                              "    </cpu>\n",
                                              topology,
                                              "    <cache>\n"
                                              "      <bank id=\"7\" level=\"3\" type=\"both\" size=\"8\" unit=\"MiB\" cpus=\"0-1\"/>\n"
                                              "      <bank level=\"3\" type=\"both\" size=\"1025\" unit=\"KiB\" cpus=\"2-3\"/>\n"
                                              "    </cache>\n"
                                              "  </host>\n"
                                              "</capabilities>\n", NULL);

        g_assert_cmpstr(xml, ==, wanted);
}

/* The least that a host can tell of itself. */
static void what_is_not_told_is_left_out(void) {
        Tree *tree = tree_new();
        g_autoptr(Fixture) fixture = NULL;
        _cleanup_free_ char *xml = NULL, *nested = NULL;

        tree_write(tree, CPU "/present", "0\n");
        tree_write(tree, CPU "/online", "0\n");
        fixture = fixture_new(tree);
        xml = capabilities_xml(fixture);
        g_assert_cmpstr(xml, ==,
                        "<capabilities>\n"
                        "  <host>\n"
                        "    <cpu>\n"
                        "      <topology sockets=\"1\" cores=\"1\" threads=\"1\"/>\n"
                        "    </cpu>\n"
                        "    <topology>\n"
                        "      <cells num=\"1\">\n"
                        "        <cell id=\"0\">\n"
                        "          <cpus num=\"1\">\n"
                        "            <cpu id=\"0\"/>\n"
                        "          </cpus>\n"
                        "        </cell>\n"
                        "      </cells>\n"
                        "    </topology>\n"
                        "  </host>\n"
                        "</capabilities>\n");
        nested = topology_xml(fixture, true);
        g_assert_nonnull(strstr(nested, "    <socket>\n      <cell id=\"0\">\n"));
}

static void cells_without_cpus_stand_beside_the_sockets(void) {
        g_autoptr(Fixture) fixture = NULL;
        _cleanup_free_ char *nested = NULL;
        Tree *tree = tree_new();

        machine_write(tree, (Shape) { .sockets = 2, .cores = 2, .threads = 1, .cells = TRUE });
        tree_write(tree, NODE "/node0/cpulist", "\n");
        tree_write(tree, NODE "/node1/cpulist", "0-3\n");
        fixture = fixture_new(tree);
        nested = topology_xml(fixture, true);
        g_assert_nonnull(strstr(nested, "    <socket id=\"0\">\n      <cell id=\"1\">\n"));
        g_assert_nonnull(strstr(nested, "    <socket id=\"1\">\n      <cell id=\"1\">\n"));
        g_assert_nonnull(strstr(nested, "    </socket>\n    <cell id=\"0\">\n"));
        g_assert_nonnull(strstr(nested, "<cells num=\"2\">"));
}

/* Values for initiators with CPUs take the place of those for all. */
static void interconnects_are_those_of_cpus(void) {
        g_autoptr(Fixture) fixture = rich_new();
        _cleanup_free_ char *xml = NULL;

        tree_write(fixture->tree, NODE "/node0/access1/initiators/read_latency", "9\n");
        tree_link(fixture->tree, NODE "/node0/access1/initiators/node1", "../../../node1");
        host_refresh(fixture->host);
        fixture_settle(fixture);
        xml = topology_xml(fixture, false);
        g_assert_nonnull(strstr(xml, "<latency initiator=\"1\" target=\"0\" type=\"read\" value=\"9\"/>"));
        g_assert_null(strstr(xml, "value=\"5\""));
        g_assert_null(strstr(xml, "<bandwidth"));
}

/* Counts only where each socket has as many; ids with drawers and books. */
static void uneven_and_odd_machines_are_valid(void) {
        g_autoptr(Fixture) fixture = rich_new();
        _cleanup_free_ char *xml = NULL, *nested = NULL, *all = NULL;

        tree_write(fixture->tree, CPU "/online", "0-2\n");
        tree_write(fixture->tree, CPU "/cpu0/topology/drawer_id", "1\n");
        tree_write(fixture->tree, CPU "/cpu0/topology/book_id", "2\n");
        tree_write(fixture->tree, CPU "/cpu0/topology/cluster_id", "3\n");
        tree_write(fixture->tree, NODE "/node1/cpulist", "1-3\n");
        tree_write(fixture->tree, NODE "/node70000/cpulist", "\n");
        host_refresh(fixture->host);
        fixture_settle(fixture);
        xml = capabilities_xml(fixture);
        g_assert_null(strstr(xml, "<topology sockets="));
        g_assert_nonnull(strstr(xml, "<cpu id=\"0\" drawer_id=\"1\" book_id=\"2\" socket_id=\"0\" die_id=\"0\" cluster_id=\"3\" core_id=\"0\""));
        nested = topology_xml(fixture, true);
        g_assert_nonnull(strstr(nested, "<socket id=\"0\" book_id=\"2\" drawer_id=\"1\">"));
        all = topology_xml(fixture, false);
}

static void text_of_the_machine_is_escaped(void) {
        Tree *tree = tree_new();
        g_autoptr(Fixture) fixture = NULL;
        _cleanup_free_ char *xml = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        tree_write(tree, "proc/cpuinfo", "vendor_id : <A&B \"x\"> %s%n\n");
        fixture = fixture_new(tree);
        xml = capabilities_xml(fixture);
        g_assert_nonnull(strstr(xml, "<vendor>&lt;A&amp;B &quot;x&quot;&gt; %s%n</vendor>"));
}

/* A socket shows of a cell those CPUs that are its own: not sockets times CPUs. */
static void nested_cell_has_the_cpus_of_its_socket(void) {
        g_autoptr(Fixture) fixture = NULL;
        _cleanup_free_ char *nested = NULL;
        Tree *tree = tree_new();
        const char *second;

        machine_write(tree, (Shape) { .sockets = 2, .cores = 2, .threads = 1, .cells = FALSE });
        fixture = fixture_new(tree);
        nested = topology_xml(fixture, true);
        second = strstr(nested, "<socket id=\"1\">");
        g_assert_nonnull(second);
        g_assert_nonnull(strstr(nested, "<cpus num=\"2\">\n          <cpu id=\"0\""));
        g_assert_nonnull(strstr(second, "<cpus num=\"2\">\n          <cpu id=\"2\""));
        g_assert_null(strstr(second, "<cpu id=\"1\""));
}

static void on_change(unsigned change, void *userdata) {
}

/* Where libvirt has it; a document of its own as well. */
static void power_management_stands_after_the_cpu(void) {
        g_autoptr(Fixture) fixture = rich_new();
        _cleanup_free_ char *xml = NULL, *none = NULL, *alone = NULL;
        Power *power = NULL;

        g_assert_cmpint(power_new(fixture->host, fixture->event, on_change, NULL, &power), ==, 0);
        none = capabilities_xml(fixture);
        g_assert_nonnull(strstr(none, "    </cpu>\n    <power_management/>\n    <topology>\n"));
        tree_write(fixture->tree, "sys/power/state", "mem\n");
        power_look(power);
        xml = capabilities_xml(fixture);
        g_assert_nonnull(strstr(xml, "    </cpu>\n    <power_management>\n      <suspend_mem/>\n    </power_management>\n    <topology>\n"));
        g_assert_cmpint(power_to_xml(power, &alone), ==, 0);
        assert_valid(alone);
        power_free(power);
        g_assert_null(fixture->host->power);
}

#define TEST(function) { #function, function }

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(void); } tests[] = {
                TEST(cells_are_laid_out_as_by_libvirt),
                TEST(nested_cells_stand_in_their_socket),
                TEST(nested_cell_has_the_cpus_of_its_socket),
                TEST(capabilities_hold_all),
                TEST(power_management_stands_after_the_cpu),
                TEST(what_is_not_told_is_left_out),
                TEST(cells_without_cpus_stand_beside_the_sockets),
                TEST(interconnects_are_those_of_cpus),
                TEST(uneven_and_odd_machines_are_valid),
                TEST(text_of_the_machine_is_escaped),
        };
        int r;

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                g_autofree char *path = g_strdelimit(g_strdup_printf("/topology-xml/%s", tests[i].name), "_", '-');

                g_test_add_func(path, tests[i].run);
        }
        r = g_test_run();
        xmlCleanupParser();
        return r;
}
