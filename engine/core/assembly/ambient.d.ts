/** What the layout's annotations mean to TypeScript; the AssemblyScript compiler knows them itself. */
declare type u32 = number;
