/** Notices that the content of a file is another: also where a folder above is switched by a link, as Pods see their ConfigMaps. */
import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** ms between looks where the file system tells nothing. */
const PERIOD = 10_000;

/** Calls back once, when the file cannot be read or its content is not `known` any more. Returns the stop. Does not keep the process alive. */
export function watchFile(path: string, known: string, onChange: () => void): () => void {
  let isOver = false;
  const stop = () => {
    isOver = true;
    clearInterval(timer);
    watcher?.close();
  };
  const look = async () => {
    const now = await readFile(path, 'utf8').catch(() => undefined);
    if (isOver || now === known) return;
    stop();
    onChange();
  };
  const timer = setInterval(() => void look(), PERIOD).unref();
  const watcher = watchFolder(dirname(path), () => void look());
  return stop;
}

function watchFolder(folder: string, onEvent: () => void) {
  try {
    return watch(folder, { persistent: false }, onEvent).on('error', () => undefined);
  } catch {
    return undefined; // the looks by time remain
  }
}
