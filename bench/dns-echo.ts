/** The other floor of bench/dns.ts: what Node's dgram does when nothing is asked of it. Arguments: ADDRESS PORT. */
import { createSocket } from 'node:dgram';

const [address = '127.0.0.1', port = '0'] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
socket.on('message', (bytes, sender) => {
  bytes[2] = (bytes[2] ?? 0) | 0x80;
  socket.send(bytes, sender.port, sender.address);
});
socket.bind(Number(port), address);
