/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "control.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>

void control_send(const char *folder, const char *command, const char *arguments) {
        g_autofree char *path = g_build_filename(folder, "control.sock", NULL);
        g_autofree char *text = g_strdup_printf("{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"%s\", \"arguments\": %s, \"id\": \"mine\"}\n", command, arguments ?: "{}");
        g_autoptr(GSocketClient) client = g_socket_client_new();
        g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
        g_autoptr(GSocketConnection) connection = NULL;
        g_autoptr(GDataInputStream) input = NULL;
        g_autoptr(GError) error = NULL;

        connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &error);
        g_assert_no_error(error);
        g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), text, strlen(text), NULL, NULL, &error);
        g_assert_no_error(error);
        input = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
        for (;;) {
                g_autofree char *line = g_data_input_stream_read_line(input, NULL, NULL, &error);

                g_assert_no_error(error);
                g_assert_nonnull(line);
                if (!strstr(line, "\"mine\""))
                        continue;
                if (!strstr(line, "\"return\""))
                        g_error("QEMU refused %s: %s", command, line);
                return;
        }
}
