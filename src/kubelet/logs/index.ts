export { LogFormatter, parseLogLine, type LogFormat, type LogLine } from './line.ts';
export { parseLogOptions, type LogOptions } from './options.ts';
export { readLog } from './reader.ts';
export { rotateAll, startLogRotation, type RotationOptions } from './rotation.ts';
