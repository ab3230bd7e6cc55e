/** The face of nf_tables: what others say of it, the real one and the fake. */
export type * from './nf-types.ts';
export { FakeNfTables } from './nf-tables-fake.ts';
export { createNfTables } from './nf-tables-socket.ts';
