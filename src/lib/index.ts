/** The face of the helpers. */
export { Backoff, type BackoffOptions } from './backoff.ts';
export { addressAt, cidrContains, cidrSize, formatCidr, parseCidr, parseNetwork, type Cidr } from './cidr.ts';
export { FakeClock, realClock, timestamp, type Clock } from './clock.ts';
export { Complaint } from './complaint.ts';
export { fnv1a32, sha256Base32 } from './hash.ts';
export { compareIpText, familyOf, formatIp, joinHostPort, parseIp, type Family, type Ip } from './ip.ts';
export { createLog, silentLog, type Log } from './log.ts';
export { varint, WIRE, WireReader, type WireValue } from './protobuf.ts';
export { done, retryAfter, stuck, WorkQueue, type Outcome, type WorkQueueOptions } from './queue.ts';
export { humanDuration, table } from './text.ts';
