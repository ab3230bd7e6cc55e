/** Where a question came in, as a number: the figures that are counted differ by it, and the Corefile's blocks may. */
export const sourceOf = (sockets: number, transport: 'udp' | 'tcp', family: 'IPv4' | 'IPv6'): number =>
  sockets * 4 + (transport === 'tcp' ? 2 : 0) + (family === 'IPv6' ? 1 : 0);
