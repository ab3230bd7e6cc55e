export { createVolumeManager, type VolumeManagerOptions } from './manager.ts';
export { isReadOnlyVolume } from './payload.ts';
