/* Looks names up as every program does, by the C library it is linked with: NAME or ADDRESS..., one line of answers each. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void by_address(const char *text, void *address, socklen_t length) {
  char name[NI_MAXHOST];
  int error = getnameinfo(address, length, name, sizeof name, 0, 0, NI_NAMEREQD);
  printf("%s %s\n", text, error ? gai_strerror(error) : name);
}

static void by_name(const char *name) {
  struct addrinfo hints, *found, *each;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  int error = getaddrinfo(name, 0, &hints, &found);
  printf("%s", name);
  if (error) printf(" %s", gai_strerror(error));
  else
    for (each = found; each; each = each->ai_next) {
      char text[INET6_ADDRSTRLEN];
      const void *address = each->ai_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr
                                                        : (void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr;
      printf(" %s", inet_ntop(each->ai_family, address, text, sizeof text));
    }
  printf("\n");
}

int main(int count, char **names) {
  for (int at = 1; at < count; at++) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memset(&v4, 0, sizeof v4);
    memset(&v6, 0, sizeof v6);
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    if (inet_pton(AF_INET, names[at], &v4.sin_addr) == 1) by_address(names[at], &v4, sizeof v4);
    else if (inet_pton(AF_INET6, names[at], &v6.sin6_addr) == 1) by_address(names[at], &v6, sizeof v6);
    else by_name(names[at]);
  }
  return 0;
}
