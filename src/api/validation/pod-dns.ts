/** How a Pod resolves names, and what it is called: dnsPolicy, dnsConfig, hostname, subdomain, hostnameOverride (features 4-067..4-071, 4-075). */
import { parseIp } from '../../lib/ip.ts';
import { forbidden, invalid, required, type FieldError } from '../field-error.ts';
import { dns1123Label, dns1123Subdomain, dns1123SubdomainWithUnderscore } from '../names.ts';
import { hostnameOverrideOf } from '../pods.ts';
import type { Core } from '../types.ts';
import { follows, requiredOneOf } from './check.ts';

const maxNameservers = 3;
const maxSearchDomains = 32;
/** With a space between each. */
const maxSearchCharacters = 2048;
/** Of the kernel's nodename. */
const maxHostname = 64;

export function validateDns({ dnsPolicy, dnsConfig }: Core.PodSpec, path: string): FieldError[] {
  const policies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
  const errors = requiredOneOf(`${path}.dnsPolicy`, dnsPolicy, policies);
  const at = `${path}.dnsConfig`;
  if (dnsPolicy === 'None') {
    if (!dnsConfig) return [...errors, required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    if ((dnsConfig.nameservers ?? []).length === 0) {
      const why = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      return [...errors, required(`${at}.nameservers`, why)];
    }
  }
  return dnsConfig ? [...errors, ...validateDnsConfig(dnsConfig, at)] : errors;
}

function validateDnsConfig({ nameservers = [], searches = [], options = [] }: Core.PodDNSConfig, at: string) {
  const errors: FieldError[] = [];
  if (nameservers.length > maxNameservers) {
    errors.push(invalid(`${at}.nameservers`, nameservers, `must not have more than ${maxNameservers} nameservers`));
  }
  for (const [index, address] of nameservers.entries()) {
    if (parseIp(address)) continue;
    errors.push(
      invalid(`${at}.nameservers[${index}]`, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
    );
  }
  if (searches.length > maxSearchDomains) {
    errors.push(invalid(`${at}.searches`, searches, `must not have more than ${maxSearchDomains} search paths`));
  }
  if (searches.join(' ').length > maxSearchCharacters) {
    const why = `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`;
    errors.push(invalid(`${at}.searches`, searches, why));
  }
  for (const [index, search] of searches.entries()) {
    // A lone dot is the root: names are asked for as they are.
    const problems = search === '.' ? [] : dns1123SubdomainWithUnderscore(search.replace(/\.$/, ''));
    errors.push(...problems.map((why) => invalid(`${at}.searches[${index}]`, search.replace(/\.$/, ''), why)));
  }
  for (const [index, option] of options.entries()) {
    if (!option.name) errors.push(required(`${at}.options[${index}]`, 'must not be empty'));
  }
  return errors;
}

export function validateNames(spec: Core.PodSpec, path: string): FieldError[] {
  return [
    ...follows(dns1123Label, `${path}.hostname`, spec.hostname),
    ...follows(dns1123Label, `${path}.subdomain`, spec.subdomain),
    ...validateHostnameOverride(spec, `${path}.hostnameOverride`),
  ];
}

function validateHostnameOverride(spec: Core.PodSpec, path: string): FieldError[] {
  const override = hostnameOverrideOf(spec);
  if (override === undefined) return [];
  const errors = follows(dns1123Subdomain, path, override);
  if (override.length > maxHostname)
    errors.push(invalid(path, override, `must be no more than ${maxHostname} characters`));
  if (spec.hostNetwork) errors.push(forbidden(path, 'may not be set when hostNetwork is true'));
  if (spec.setHostnameAsFQDN) errors.push(forbidden(path, 'may not be set when setHostnameAsFQDN is true'));
  return errors;
}
