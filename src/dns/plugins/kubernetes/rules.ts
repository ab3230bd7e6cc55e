/** What the options of the directive mean for answers, whoever set them. Pure. */
import { zonesOfNames, type Zones } from './zones.ts';

/** Names of Pods by address (features 4-032 to 4-034): none; any address in a namespace that is there; those of Pods that are there. */
export type PodMode = 'disabled' | 'insecure' | 'verified';

export interface Rules {
  readonly zones: Zones;
  /** Seconds, of every record and of denials (features 4-029 and 4-060). */
  readonly ttl: number;
  readonly pods: PodMode;
  /** Only these are shown; all where absent (feature 4-036). */
  readonly namespaces?: ReadonlySet<string>;
  /** Only namespaces of the view are shown: it was given a selector (feature 4-036). */
  readonly viewedNamespaces: boolean;
  readonly endpointPodNames: boolean;
  readonly ignoreEmptyService: boolean;
  readonly zonal: boolean;
  /** Addresses of headless Services are those near the asker, where it has such. Fairway's own. */
  readonly preferZone: boolean;
  /** Where this server is reached: whose Services are the zone's name servers. */
  readonly ownAddresses: readonly string[];
}

export interface RuleChoices extends Partial<Omit<Rules, 'zones' | 'namespaces'>> {
  /** `cluster.local` alone where absent. */
  readonly zones?: readonly string[];
  readonly multicluster?: readonly string[];
  readonly namespaces?: readonly string[];
}

/** The plugin's defaults where nothing was chosen. @throws Error where all zones are reverse zones */
export function rulesOf(choices: RuleChoices = {}): Rules {
  const { zones: names = ['cluster.local'], multicluster, namespaces, ...rest } = choices;
  const zones = zonesOfNames(names, multicluster);
  if (!zones) throw new Error('non-reverse zone name must be used');
  return {
    ttl: 5,
    pods: 'disabled',
    viewedNamespaces: false,
    endpointPodNames: false,
    ignoreEmptyService: false,
    zonal: false,
    preferZone: false,
    ownAddresses: [],
    ...rest,
    zones,
    ...(namespaces && { namespaces: new Set(namespaces) }),
  };
}
