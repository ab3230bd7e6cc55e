import { testRandomClusters } from '../scenarios/random-suite.ts';
import { iptablesMode } from './mode.ts';

testRandomClusters(iptablesMode);
