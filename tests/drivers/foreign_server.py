"""A Modbus server on libmodbus, compiled where a compiler and its headers are present."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = r"""
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* server tcp PORT | server rtu DEVICE: 200 registers of each kind and 64 bits, as unit 1 */
int main(int count, char **words) {
    int tcp = count > 2 && strcmp(words[1], "tcp") == 0;
    modbus_t *line = tcp ? modbus_new_tcp("127.0.0.1", atoi(words[2]))
                         : modbus_new_rtu(words[2], 115200, 'N', 8, 1);
    modbus_mapping_t *map = modbus_mapping_new(64, 64, 200, 200);
    uint8_t question[MODBUS_TCP_MAX_ADU_LENGTH];
    int listener = -1;
    for (int n = 0; n < 200; n++) {
        map->tab_registers[n] = (uint16_t) (n * 7919);
        map->tab_input_registers[n] = (uint16_t) ((199 - n) * 7919);
    }
    for (int n = 0; n < 64; n++) map->tab_bits[n] = map->tab_input_bits[n] = n % 3 == 0;
    if (!tcp) modbus_set_slave(line, 1);
    if (tcp) listener = modbus_tcp_listen(line, 1);
    if (tcp ? listener < 0 : modbus_connect(line) < 0) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (tcp) modbus_tcp_accept(line, &listener);
        for (;;) {
            int length = modbus_receive(line, question);
            if (length > 0) modbus_reply(line, question, length, map);
            else if (length < 0 && tcp) break;
        }
        modbus_close(line);
    }
}
"""


def compiled(folder: Path) -> Path:
    """Compile the server, or skip where that cannot be."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source, program = folder / "server.c", folder / "server"
    source.write_text(SOURCE, "utf-8")
    headers = subprocess.run(
        [compiler, "-E", "-I/usr/include/modbus", source], capture_output=True, check=False
    )
    if headers.returncode:
        pytest.skip("the headers of libmodbus are not installed (Debian: libmodbus-dev)")
    command = [compiler, "-I/usr/include/modbus", "-o", program, source, "-lmodbus"]
    subprocess.run(command, check=True, timeout=60)
    return program
