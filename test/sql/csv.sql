-- Comma-separated values.
SELECT * FROM crm.csv_rows(E'\uFEFFname,note\r\n"Ivan ""the"" I","two\nlines"\r\n\r\nAnna,\r\n"",x"y,z\n');
SELECT * FROM crm.csv_rows(E'a;b\n1,5;2\n3;4');
SELECT * FROM crm.csv_rows(E'a\tb\n1\t2');
SELECT * FROM crm.csv_rows(E'one\ntwo\n');
SELECT * FROM crm.csv_rows('a,b', ';');
SELECT * FROM crm.csv_rows('');
SELECT * FROM crm.csv_rows(E'a,b\n1,"2\n3,4\n');
SELECT * FROM crm.csv_rows(repeat('x,', 10000));
SELECT * FROM crm.csv_rows(E'a\n' || repeat('x', 2000000));
SELECT * FROM crm.csv_rows('a', '--');
SELECT count(*), max(line) FROM crm.csv_rows(repeat(E'a,"b\nc",d\n', 50000));
