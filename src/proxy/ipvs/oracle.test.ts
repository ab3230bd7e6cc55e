import { testRandomClusters } from '../scenarios/random-suite.ts';
import { ipvsMode } from './mode.ts';

testRandomClusters(ipvsMode);
