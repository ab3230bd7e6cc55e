import { HostError } from '../exec.ts';

/** The kernel said no over netlink. `code` is the errno's name, such as ENOENT; `detail` the kernel's own words where it had some (NLMSGERR_ATTR_MSG). */
export class NetlinkError extends HostError {
  override name = 'NetlinkError';
  readonly code: string;
  constructor(tried: readonly string[], code: string, detail = '', cause?: unknown) {
    super(tried, code, undefined, detail, cause);
    this.code = code;
  }
}
