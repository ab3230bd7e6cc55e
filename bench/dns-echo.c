/* The floor of bench/dns.ts: sends every datagram back with the response bit set. Arguments: ADDRESS PORT. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int count, char **args) {
  if (count != 3) return 2;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int size = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(args[2]))};
  if (inet_pton(AF_INET, args[1], &own.sin_addr) != 1) return 2;
  if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0) return 1;
  static unsigned char bytes[65536];
  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
    if (got < 12) continue;
    bytes[2] |= 0x80;
    sendto(fd, bytes, got, 0, (struct sockaddr *)&from, length);
  }
}
