/** The pure face of DNS: what a name asks for and what the cluster answers, for explaining it without asking a server. */
export { answer, soaRecord, type Answer, type AnswerOptions } from './answer.ts';
export { clusterIpsOf, fixedView, type ClusterView } from './cluster-view.ts';
export { labelsOf, nameOf, sameName } from './domain-name.ts';
export { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message, type Question, type Record } from './message.ts';
export { dashedAddress, parseName, type Target } from './names.ts';
export { parseType, rcodeName, recordText, typeName } from './record-text.ts';
export { readyEndpoints, type NamedEndpoint } from './service-endpoints.ts';
export { parseUpstreams, type Upstream } from './upstreams.ts';
export { decodeMessage, encodeMessage } from './wire.ts';
export { WireError } from './wire-error.ts';
