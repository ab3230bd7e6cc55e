/** What ConfigMap kube-system/coredns says, as files: its keys are what CoreDNS' container has in /etc/coredns. Pure. */
import type { ImportSource } from '../dns/corefile/import-source.ts';

export const COREFILE_NAMESPACE = 'kube-system';
export const COREFILE_MAP = 'coredns';
/** The key, and what messages call the file. */
export const COREFILE_KEY = 'Corefile';

/** Key to text. */
export type CorefileData = Readonly<Record<string, string>>;

const MOUNTED = '/etc/coredns/';

/** `import custom/*.override` and its like find other keys of the map and nothing of this machine. */
export function mapImports(data: () => CorefileData): ImportSource {
  const keyOf = (path: string) => (path.startsWith(MOUNTED) ? path.slice(MOUNTED.length) : path.replace(/^\.\//, ''));
  const keys = () => Object.keys(data()).filter((key) => key !== COREFILE_KEY);
  return {
    read: (file) => (keys().includes(keyOf(file)) ? data()[keyOf(file)] : undefined),
    glob: (pattern) => {
      const matches = globMatcher(keyOf(pattern));
      return keys().filter(matches).sort();
    },
    resolve: (_, pattern) => keyOf(pattern),
  };
}

/** `*` and `?` of a file name; keys have no folders, so those of the pattern are left out. */
function globMatcher(pattern: string): (key: string) => boolean {
  const name = pattern.slice(pattern.lastIndexOf('/') + 1);
  return (key) => matchFrom(name, key);
}

/** Two places to go back to are enough: the last star and where it stood. No pattern takes longer than the product of both lengths. */
function matchFrom(pattern: string, text: string): boolean {
  let [at, pos, star, mark] = [0, 0, -1, 0];
  while (pos < text.length) {
    if (pattern[at] === '*') [star, mark, at] = [at, pos, at + 1];
    else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[pos])) [at, pos] = [at + 1, pos + 1];
    else if (star >= 0) [at, mark, pos] = [star + 1, mark + 1, mark + 1];
    else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
