import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HealthBook } from './health.ts';

const book = () => new HealthBook(['IPv4', 'IPv6'], 60_000);
const healthy = (one: HealthBook, now: number) => [...one.status(now).values()].map((status) => status.healthy);

it('is ill until the rules of each family were written once', () => {
  const one = book();
  assert.deepEqual(healthy(one, 1000), [false, false]);
  one.begun('IPv4');
  one.succeeded('IPv4', 2000);
  assert.deepEqual(healthy(one, 2000), [true, false]);
  assert.equal(one.isHealthy(2000), false);
  one.begun('IPv6');
  one.succeeded('IPv6', 3000);
  assert.equal(one.isHealthy(3000), true);
  assert.equal(one.status(9000).get('IPv4')?.lastUpdated, 2000);
});

it('is ill when a change waits too long, whether its sync hangs, fails, or never begins', () => {
  const one = book();
  for (const family of ['IPv4', 'IPv6'] as const) one.succeeded(family, 1000);
  for (const family of ['IPv4', 'IPv6'] as const) one.queued(10_000, family);
  assert.equal(one.isHealthy(69_999), true);
  assert.deepEqual(healthy(one, 70_000), [false, false]);
  one.begun('IPv4');
  assert.deepEqual(healthy(one, 70_000), [false, false]);
  one.failed('IPv4', 70_001);
  assert.deepEqual(healthy(one, 70_001), [false, false]);
  one.begun('IPv4');
  one.succeeded('IPv4', 70_002);
  assert.deepEqual(healthy(one, 70_002), [true, false]);
});

it('counts a change that comes while a sync runs from its own time', () => {
  const one = new HealthBook(['IPv4'], 60_000);
  one.queued(1000, 'IPv4');
  one.begun('IPv4');
  one.queued(50_000, 'IPv4');
  one.succeeded('IPv4', 55_000);
  assert.equal(one.isHealthy(100_000), true);
  assert.equal(one.isHealthy(110_000), false);
});

it('a look at the rules that fails makes something wait, though nothing changed', () => {
  const one = new HealthBook(['IPv4'], 60_000);
  one.succeeded('IPv4', 1000);
  one.begun('IPv4');
  one.failed('IPv4', 5000);
  assert.equal(one.isHealthy(64_999), true);
  assert.equal(one.isHealthy(65_000), false);
});

it('does not count a family that this machine cannot have, until it can', () => {
  const one = book();
  one.succeeded('IPv4', 1000);
  one.failed('IPv6', 1000);
  one.leaveOut('IPv6');
  assert.equal(one.isHealthy(500_000), true);
  assert.deepEqual([...one.status(500_000).keys()], ['IPv4']);
  one.takeIn('IPv6');
  assert.equal(one.isHealthy(500_000), false);
});
