/** Who may ask now: so many questions are under way in all, and one asker that asks for everything must leave room for the others. Pure. */

export interface Admission {
  /** False: refused. Where true, `leave` is owed. */
  enter(asker: string): boolean;
  leave(asker: string): void;
  readonly underWay: number;
}

/**
 * Nobody may have more under way than is still free. One who asks for everything so gets half, of several each as much as is left over; and the last place is always for
 * one who has nothing under way yet.
 * @param limit questions under way, of all askers
 */
export function admission(limit: number): Admission {
  const askers = new Map<string, number>();
  let underWay = 0;
  return {
    get underWay() {
      return underWay;
    },
    enter(asker) {
      const own = askers.get(asker) ?? 0;
      if (underWay >= limit) return false;
      if (own > 0 && own >= limit - underWay) return false;
      askers.set(asker, own + 1);
      underWay++;
      return true;
    },
    leave(asker) {
      const own = askers.get(asker) ?? 0;
      if (own === 0) return;
      underWay--;
      if (own === 1) askers.delete(asker);
      else askers.set(asker, own - 1);
    },
  };
}
