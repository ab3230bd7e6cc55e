import { storeContract } from './contract.ts';
import { createMemoryStore } from './memory.ts';

storeContract({ name: 'memory', open: () => Promise.resolve(createMemoryStore()) });
