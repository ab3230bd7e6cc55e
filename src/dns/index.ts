/** The pure face of DNS: what a name asks for and what the cluster answers, for explaining it without asking a server. */
export { answer, soaRecord, type Answer } from './plugins/kubernetes/answer.ts';
export { clusterIpsOf, fixedView, type ClusterView } from './plugins/kubernetes/cluster-view.ts';
export { labelsOf, nameOf, sameName } from './wire/domain-name.ts';
export { CLASS_IN, queryFor, RCODE, replyTo, TYPE, type Message, type Question, type Record } from './wire/message.ts';
export { parseName, type Target } from './plugins/kubernetes/names.ts';
export { parseType, rcodeName, recordText, typeName } from './wire/record-text.ts';
export { rulesOf, type Rules } from './plugins/kubernetes/rules.ts';
export { dashedAddress, readyEndpoints, type NamedEndpoint } from './plugins/kubernetes/service-endpoints.ts';
export { readResolvConf } from './plugins/forward/resolv-conf.ts';
export { upstreamText, type Upstream } from './plugins/forward/upstream.ts';
export { decodeMessage, encodeMessage } from './wire/message-codec.ts';
export { WireError } from './wire/wire-error.ts';
