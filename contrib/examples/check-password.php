#!/usr/bin/env php
<?php
// on_auth = check-password.php DATABASE
// Table 'user' has the columns 'name' and 'password', the latter as password_hash() makes it.
declare(strict_types=1);

const YES = 0, NO = 1, LATER = 75;

// An unknown name takes as long as a wrong password.
const NOBODY = '$2y$10$abcdefghijklmnopqrstuuC8mJ4nYlZbG0V9mZ5b3d8bS1tVb0H6K';

try {
    [, $name, $password] = explode("\0", file_get_contents('php://fd/3'));
    $db = new PDO('sqlite:' . $argv[1], null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 5]);
    $row = $db->prepare('SELECT password FROM user WHERE name = ?');
    $row->execute([$name]);
    $hash = $row->fetchColumn();
    $fits = password_verify($password, $hash === false ? NOBODY : $hash);
    exit($fits && $hash !== false ? YES : NO);
} catch (Throwable $e) {
    fwrite(STDERR, $e->getMessage() . "\n");
    exit(LATER);
}
