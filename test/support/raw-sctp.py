"""SCTP for kernels that track and translate it but have no sockets for it: the first two packets of an association, by raw sockets.
`serve NAME PORT…` answers every INIT with an INIT ACK that carries `NAME:PORT` and whom it saw;
`ask` reads lines `HOST PORT SECONDS`, sends an INIT for each and prints what came back, or REJECT, or DROP after that time."""
import random
import select
import socket
import struct
import sys

IPPROTO_SCTP = 132
INIT, INIT_ACK = 1, 2
HEARTBEAT_INFO = 0x8001  # a parameter that receivers skip: here it carries the text

TABLE = []
for number in range(256):
    for _ in range(8):
        number = (number >> 1) ^ (0x82F63B78 if number & 1 else 0)
    TABLE.append(number)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def packet(source_port, port, tag, kind, own_tag, text=b""):
    """Header and one chunk (RFC 9260, sections 3.1, 3.3.2 and 3.3.3); `tag` is 0 with an INIT."""
    parameter = struct.pack("!HH", HEARTBEAT_INFO, 4 + len(text)) + text + b"\0" * (-len(text) % 4) if text else b""
    body = struct.pack("!IIHHI", own_tag, 65536, 1, 1, own_tag) + parameter
    chunk = struct.pack("!BBH", kind, 0, 4 + len(body)) + body
    bare = struct.pack("!HHII", source_port, port, tag, 0) + chunk
    return bare[:8] + struct.pack("<I", crc32c(bare)) + bare[12:]


def parse(data):
    source_port, port, tag = struct.unpack("!HHI", data[:8])
    kind, own_tag = data[12], struct.unpack("!I", data[16:20])[0]
    text = b""
    if len(data) >= 36:
        length = struct.unpack("!H", data[34:36])[0]
        text = data[36 : 32 + length]
    return source_port, port, tag, kind, own_tag, text


def payload(family, data):
    return data if family == socket.AF_INET6 else data[(data[0] & 15) * 4 :]


def raw(family):
    return socket.socket(family, socket.SOCK_RAW, IPPROTO_SCTP)


def serve(name, ports):
    sockets = {raw(family): family for family in (socket.AF_INET, socket.AF_INET6)}
    print("ready", flush=True)
    while True:
        for one in select.select(list(sockets), [], [])[0]:
            data, address = one.recvfrom(2000)
            source_port, asked, _, kind, tag, _ = parse(payload(sockets[one], data))
            if asked not in ports or kind != INIT:
                continue
            text = f"{name}:{asked} {address[0]}".encode()
            answer = packet(asked, source_port, tag, INIT_ACK, random.getrandbits(32) or 1, text)
            one.sendto(answer, (address[0], 0))


def ask(host, port, seconds):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    client = raw(family)
    client.settimeout(seconds)
    own_port, tag = random.randint(20000, 60000), random.getrandbits(32) or 1
    try:
        # connected, so that an ICMP error reaches it
        client.connect((host, 0))
        client.send(packet(own_port, port, 0, INIT, tag))
        while True:
            source_port, asked, got, kind, _, text = parse(payload(family, client.recv(2000)))
            if (source_port, asked, got, kind) == (port, own_port, tag, INIT_ACK):
                return text.decode()
    except TimeoutError:
        return "DROP"
    except OSError:
        return "REJECT"


if sys.argv[1] == "serve":
    serve(sys.argv[2], [int(text) for text in sys.argv[3:]])
else:
    for line in sys.stdin:
        host, port, seconds = line.split()
        print(ask(host, int(port), float(seconds)), flush=True)
