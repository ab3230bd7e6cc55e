/** Which Services and EndpointSlices are a proxy's business (3-002). */
export const SERVICE_SELECTOR = '!service.kubernetes.io/service-proxy-name';
export const SLICE_SELECTOR = '!service.kubernetes.io/headless';
