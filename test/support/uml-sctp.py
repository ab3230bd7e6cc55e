"""SCTP for the tests of a kernel that has it, because Node has none. `serve NAME PORT` answers every association with its name and whom it
saw; `ask` reads lines `HOST PORT SECONDS` and prints the answer to each, or REJECT, or DROP after that time."""
import socket
import struct
import sys

IPPROTO_SCTP = 132


def serve(name, port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, IPPROTO_SCTP)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port))
    server.listen(16)
    print("ready", flush=True)
    while True:
        client, address = server.accept()
        client.sendall(f"{name} {address[0].removeprefix('::ffff:')}".encode())
        client.close()


def ask(host, port, seconds):
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP)
    client.settimeout(seconds)
    # SCTP_RTOINFO: ask again soon. The first refusal may come while connect() holds the socket, and is not heard then.
    client.setsockopt(IPPROTO_SCTP, 0, struct.pack("IIII", 0, 200, 400, 100))
    # an SCTP socket hears of refusals only if it asks to: IP_RECVERR, IPV6_RECVERR
    if ":" in host:
        client.setsockopt(41, 25, 1)
    else:
        client.setsockopt(0, 11, 1)
    try:
        client.connect((host, port))
        return client.recv(200).decode()
    except TimeoutError:
        return "DROP"
    except OSError:
        return "REJECT"
    finally:
        client.close()


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    for line in sys.stdin:
        host, port, seconds = line.split()
        print(ask(host, int(port), float(seconds)), flush=True)
