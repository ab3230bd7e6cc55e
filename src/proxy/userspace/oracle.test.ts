import { testRandomClusters } from '../scenarios/random-suite.ts';
import { userspaceMode } from './mode.ts';

testRandomClusters(userspaceMode);
