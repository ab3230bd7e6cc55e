/** What a server-side table is made of: the definition of a column, and what a cell may hold (feature 8-020). */
export interface ColumnDefinition {
  name: string;
  type: 'string' | 'integer' | 'number' | 'date' | 'boolean';
  format: string;
  description: string;
  /** 0 is always shown, 1 only with `-o wide`. */
  priority: number;
}

export type Cell = string | number | boolean | null;
