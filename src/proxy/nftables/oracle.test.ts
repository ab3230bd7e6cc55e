import { testRandomClusters } from '../scenarios/random-suite.ts';
import { nftablesMode } from './mode.ts';

testRandomClusters(nftablesMode);
