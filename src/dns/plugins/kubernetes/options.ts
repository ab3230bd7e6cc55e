/** `kubernetes [ZONES...] { … }`: all options of CoreDNS' plugin (features 4-029 to 4-042), and `prefer_zone`. */
import { parseLabelSelector } from '../../../api/selectors.ts';
import type { Directive } from '../../corefile/directive.ts';
import { expectArgs, expectDuration, expectNoBody, expectNumber, readOptions, refuse } from '../../corefile/option.ts';
import { zonesOf } from '../../corefile/server-key.ts';
import type { ConnectionOptions } from './connection.ts';
import type { PodMode, RuleChoices } from './rules.ts';
import { isReverse } from './zones.ts';

export interface KubernetesOptions {
  readonly rules: RuleChoices & { readonly zones: readonly string[] };
  readonly connection: ConnectionOptions;
  readonly labels?: string;
  readonly namespaceLabels?: string;
  readonly endpoints: boolean;
  /** Zones whose missing names the next plugin is asked for; none where absent (feature 4-038). */
  readonly fallthrough?: readonly string[];
  /** How long the start waits for the first lists, ms (feature 4-023). */
  readonly startupTimeout: number;
  /** What is understood and has no effect, for the log. */
  readonly idle: readonly string[];
}

/** While it is read. */
type Draft = { -readonly [K in keyof KubernetesOptions]: KubernetesOptions[K] };

const POD_MODES: readonly string[] = ['disabled', 'verified', 'insecure'] satisfies PodMode[];

/** @param blockZones where the directive names none @throws CorefileError */
export function parseKubernetes(directive: Directive, blockZones: readonly string[]): KubernetesOptions {
  const { args, place } = directive;
  const zones = args.length === 0 ? blockZones : [...new Set(args.flatMap((arg) => zonesOf(arg, place)))];
  if (zones.every(isReverse)) refuse(directive, 'non-reverse zone name must be used');
  const draft: Draft = { rules: { zones }, connection: {}, endpoints: true, startupTimeout: 5000, idle: [] };
  readOptions(directive, readersFor(draft));
  if (draft.rules.namespaces && draft.namespaceLabels !== undefined) {
    refuse(directive, 'namespaces and namespace_labels cannot both be set');
  }
  return draft;
}

type Reader = (option: Directive) => void;

function readersFor(draft: Draft): Record<string, Reader> {
  const readers = { ...connectionReaders(draft), ...selectionReaders(draft), ...ruleReaders(draft), ...goneReaders() };
  return Object.fromEntries(Object.entries(readers).map(([name, read]) => [name, withoutBody(read)]));
}

function connectionReaders(draft: Draft): Record<string, Reader> {
  const idle: Reader = ({ name }) => {
    draft.idle = [...draft.idle, name];
  };
  return {
    endpoint: (option) => {
      const [url = '', ...others] = expectArgs(option, 1, 100, 'the URL of an API server');
      // As in CoreDNS, which once took several.
      if (others.length > 0) draft.idle = [...draft.idle, `endpoint ${others.join(' ')}`];
      draft.connection = { ...draft.connection, endpoint: { url, place: option.place } };
    },
    tls: (option) => {
      const [cert = '', key = '', ca = ''] = expectArgs(option, 3, 3, 'the files of a certificate, its key and a CA');
      draft.connection = { ...draft.connection, tls: { cert, key, ca, place: option.place } };
    },
    kubeconfig: (option) => {
      const [path = '', context] = expectArgs(option, 1, 2, 'a file, and a context where it is not the current one');
      const kubeconfig = { path, place: option.place, ...(context !== undefined && { context }) };
      draft.connection = { ...draft.connection, kubeconfig };
    },
    apiserver_qps: (option) => {
      const [text = ''] = expectArgs(option, 1, 1, 'requests per second');
      if (!/^\d+(\.\d+)?$/.test(text)) refuse(option, `expected a number of at least 0, found "${text}"`);
      idle(option);
    },
    apiserver_burst: (option) => {
      expectNumber(option, expectArgs(option, 1, 1, 'a number of requests')[0], 0, 2 ** 31);
      idle(option);
    },
    apiserver_max_inflight: (option) => {
      expectNumber(option, expectArgs(option, 1, 1, 'a number of requests')[0], 0, 2 ** 31);
      idle(option);
    },
    startup_timeout: (option) => {
      const [text] = expectArgs(option, 1, 1, 'a time such as 5s');
      draft.startupTimeout = Math.max(0, expectDuration(option, text));
    },
  };
}

/** What is there to be answered from. */
function selectionReaders(draft: Draft): Record<string, Reader> {
  return {
    namespaces: (option) => {
      const namespaces = [...(draft.rules.namespaces ?? []), ...expectArgs(option, 1, 1000, 'namespaces')];
      draft.rules = { ...draft.rules, namespaces };
    },
    namespace_labels: (option) => {
      draft.namespaceLabels = selectorOf(option);
      draft.rules = { ...draft.rules, viewedNamespaces: true };
    },
    labels: (option) => {
      draft.labels = selectorOf(option);
    },
    noendpoints: flag(() => {
      draft.endpoints = false;
    }),
    fallthrough: (option) => {
      draft.fallthrough = option.args.length === 0 ? ['.'] : option.args.flatMap((arg) => zonesOf(arg, option.place));
    },
  };
}

/** How it is answered. */
function ruleReaders(draft: Draft): Record<string, Reader> {
  const rule = (choice: RuleChoices) => {
    draft.rules = { ...draft.rules, ...choice };
  };
  return {
    pods: (option) => {
      const [mode = ''] = expectArgs(option, 1, 1, `one of ${POD_MODES.join(', ')}`);
      if (!POD_MODES.includes(mode)) refuse(option, `wrong value: ${mode}, must be one of: ${POD_MODES.join(', ')}`);
      rule({ pods: mode as PodMode });
    },
    endpoint_pod_names: flag(() => {
      rule({ endpointPodNames: true });
    }),
    ttl: (option) => {
      rule({ ttl: expectNumber(option, expectArgs(option, 1, 1, 'seconds')[0], 0, 3600) });
    },
    ignore: (option) => {
      const [what = ''] = expectArgs(option, 1, 1, 'empty_service');
      if (what !== 'empty_service') refuse(option, `unable to parse ignore value: '${what}', expected empty_service`);
      rule({ ignoreEmptyService: true });
    },
    multicluster: (option) => {
      rule({ multicluster: multiclusterZones(option, draft.rules.zones) });
    },
    zonal: flag(() => {
      rule({ zonal: true });
    }),
    prefer_zone: flag(() => {
      rule({ preferZone: true });
    }),
  };
}

/** Of older versions of CoreDNS: a Corefile that still has them is told what became of them. */
const GONE: Readonly<Record<string, string>> = {
  transfer: 'zone transfers of the cluster are refused: remove the line',
  upstream: 'aliases are looked up by this server itself since CoreDNS 1.4: remove the line',
  resyncperiod: 'the watches need no resync since CoreDNS 1.5: remove the line',
};

const goneReaders = (): Record<string, Reader> =>
  Object.fromEntries(
    Object.entries(GONE).map(([name, reason]) => [name, (option: Directive) => refuse(option, reason)]),
  );

const withoutBody =
  (read: Reader): Reader =>
  (option) => {
    expectNoBody(option);
    read(option);
  };

const flag =
  (set: () => void): Reader =>
  (option) => {
    if (option.args.length > 0) refuse(option, `takes no arguments, found "${option.args.join(' ')}"`);
    set();
  };

/** An expression with spaces is several arguments. */
function selectorOf(option: Directive): string {
  const text = expectArgs(option, 1, 1000, 'a label selector').join(' ');
  try {
    parseLabelSelector(text);
  } catch (error) {
    refuse(option, `unable to parse label selector value: '${text}': ${error instanceof Error ? error.message : ''}`);
  }
  return text;
}

function multiclusterZones(option: Directive, zones: readonly string[]): string[] {
  const shared = option.args.flatMap((arg) => zonesOf(arg, option.place));
  for (const zone of shared) {
    if (!zones.includes(zone) || isReverse(zone)) {
      refuse(
        option,
        `is not authoritative for the multicluster zone ${zone} (authoritative zones: ${zones.join(' ')})`,
      );
    }
  }
  return shared;
}
