/** How nft declares our sets and maps. */
import type { Family } from '../../lib/ip.ts';
import { nftFamily, schemaOf, setNames, type Field, type SetName } from './schema.ts';

/** Clients remembered at once; more are served without being remembered. */
const AFFINITY_SIZE = 500_000;

export interface Declaration {
  readonly name: SetName;
  readonly kind: 'set' | 'map';
  /** Lines of its block, without elements. */
  readonly lines: readonly string[];
}

export function declarations(family: Family): readonly Declaration[] {
  return setNames(family).map((name) => {
    const schema = schemaOf(name, family);
    const { key, value } = schema;
    // a number has no type nft could name, only an expression that has it
    const wording = (key as readonly Field[]).includes('number') ? expressionOf : typeOf;
    const words = (fields: readonly Field[]) => fields.map((field) => wording(field, family)).join(' . ');
    const target = value === 'none' ? '' : ` : ${value === 'verdict' ? 'verdict' : words(value)}`;
    const flags = [...(schema.interval ? ['interval'] : []), ...(schema.dynamic ? ['dynamic', 'timeout'] : [])];
    return {
      name,
      kind: value === 'none' ? 'set' : 'map',
      lines: [
        `${wording === typeOf ? 'type' : 'typeof'} ${words(key)}${target}`,
        ...(schema.dynamic ? [`size ${String(AFFINITY_SIZE)}`] : []),
        ...(flags.length > 0 ? [`flags ${flags.join(',')}`] : []),
      ],
    };
  });
}

function typeOf(field: Field, family: Family): string {
  const types = {
    address: family === 'IPv6' ? 'ipv6_addr' : 'ipv4_addr',
    protocol: 'inet_proto',
    port: 'inet_service',
  };
  return field === 'number' ? 'integer' : types[field];
}

function expressionOf(field: Field, family: Family): string {
  const expressions = {
    address: `${nftFamily(family)} daddr`,
    protocol: 'meta l4proto',
    port: 'th dport',
    number: 'numgen random mod 65536',
  };
  return expressions[field];
}
