"""SCTP for the tests of a kernel that has it, because Node has none. `serve NAME PORT` answers every association with its name and whom it
saw; `ask HOST PORT` prints the answer, or REJECT, or DROP after two seconds."""
import socket
import struct
import sys

mode, first, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
IPPROTO_SCTP = 132

if mode == "serve":
    server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, IPPROTO_SCTP)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port))
    server.listen(16)
    print("ready", flush=True)
    while True:
        client, address = server.accept()
        client.sendall(f"{first} {address[0].removeprefix('::ffff:')}".encode())
        client.close()
else:
    client = socket.socket(socket.AF_INET6 if ":" in first else socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP)
    client.settimeout(2)
    # SCTP_RTOINFO: ask again soon. The first refusal may come while connect() holds the socket, and is not heard then.
    client.setsockopt(IPPROTO_SCTP, 0, struct.pack("IIII", 0, 200, 400, 100))
    # an SCTP socket hears of refusals only if it asks to: IP_RECVERR, IPV6_RECVERR
    if ":" in first:
        client.setsockopt(41, 25, 1)
    else:
        client.setsockopt(0, 11, 1)
    try:
        client.connect((first, port))
        print(client.recv(200).decode())
    except TimeoutError:
        print("DROP")
    except OSError:
        print("REJECT")
