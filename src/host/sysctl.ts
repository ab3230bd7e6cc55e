/** Kernel settings of the network namespace this process is in. Many are read-only outside the first namespace: never fatal (trap T24). */
import { readFile, writeFile } from 'node:fs/promises';

export interface Sysctl {
  /** undefined where the kernel has no such setting. Names with dots: `net.ipv4.ip_forward`. */
  read(name: string): Promise<string | undefined>;
  /** Writes only what differs. False where it could not be written. */
  write(name: string, value: string): Promise<boolean>;
}

const pathOf = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;

export const sysctl: Sysctl = {
  async read(name) {
    return readFile(pathOf(name), 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    );
  },
  async write(name, value) {
    if ((await this.read(name)) === value) return true;
    return writeFile(pathOf(name), value).then(
      () => true,
      () => false,
    );
  },
};

export class FakeSysctl implements Sysctl {
  readonly values: Map<string, string>;
  readonly readOnly: ReadonlySet<string>;
  constructor(values: Record<string, string> = {}, readOnly: readonly string[] = []) {
    this.values = new Map(Object.entries(values));
    this.readOnly = new Set(readOnly);
  }
  read(name: string): Promise<string | undefined> {
    return Promise.resolve(this.values.get(name));
  }
  write(name: string, value: string): Promise<boolean> {
    if (this.values.get(name) === value) return Promise.resolve(true);
    if (!this.values.has(name) || this.readOnly.has(name)) return Promise.resolve(false);
    this.values.set(name, value);
    return Promise.resolve(true);
  }
}
